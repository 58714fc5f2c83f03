// The API: opens Redis and its tenant, the identities, the dashboard and the routes of a configuration, and listens.
import type { Config } from '../config/config.ts';
import { createApp } from '../http/app.ts';
import { openIdentities, type Identities } from '../http/identity/identities.ts';
import { createIsTrustedProxy } from '../http/identity/certificate/trusted-proxies.ts';
import { createDeviceRate } from '../http/request/rate.ts';
import { listen, type Listener } from '../http/server.ts';
import { openParts, type Parts } from '../process/parts.ts';
import { cannotListen } from '../process/start-checks.ts';
import { openAcceptingTenant, type AcceptingTenant } from '../queue/accepting-tenant.ts';
import { openRedis } from '../queue/redis/open-redis.ts';
import { environmentTenant } from '../queue/tenant.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { openDashboard } from './dashboard-source.ts';
import { createHealth, untilStopped } from './readiness.ts';
import { openFetchKeys } from './signing-keys.ts';

export type ApiOptions = {
  telemetry: Telemetry;
  /** Parts of the process that this API becomes part of; without them it has its own. */
  parts?: Parts;
  /** Replaces the clock of Redis, and the system clock that signatures and certificates are checked against. */
  clock?: () => number;
  random?: () => number;
};

export type Api = {
  port: number;
  /** The routes, for a listener of the caller's own. */
  app: ReturnType<typeof createApp>;
  tls: Identities['tls'];
  tenants: ReadonlyMap<string, AcceptingTenant>;
  close: () => Promise<void>;
};

/** @throws CannotStart if the configuration requires something this machine lacks */
export function openApi(config: Config, options: ApiOptions): Promise<Api> {
  const { events } = options.telemetry;
  return openParts(options.parts, events.closeFailed, async (parts) => {
    const opened = await openRoutes(config, options, parts);
    const { host } = config.http;
    const listener = await openListener(config, { ...opened, ...options.telemetry }, parts);
    options.telemetry.log.info({ host, port: listener.port }, 'listening');
    return { ...opened, port: listener.port };
  });
}

async function openRoutes(config: Config, { telemetry, random = Math.random, ...options }: ApiOptions, parts: Parts) {
  const { events, metrics, tracer } = telemetry;
  const { maxBodyBytes, maxBatchBytes, maxRequestsInFlight, deviceRatePerMin, basePath } = config.http;
  const { writesPer20s } = config.delivery;

  const redis = await openRedis(config.redis, 'answer', events);
  parts.opened('redis', redis.close);
  const tenant = await openAcceptingTenant(redis, environmentTenant(config), {
    redisTrouble: events.redisTrouble,
    onBacklog: events.backlog,
    clock: options.clock,
  });
  parts.opened(`tenant ${tenant.id}`, tenant.close);
  const { revocations, forecast } = tenant;
  const clock = tenant.clock.now;

  const identities = await openIdentities(config, revocations.isRevoked, {
    clock: options.clock ?? Date.now,
    random,
    events: { reloaded: events.certificatesRead, signingKeysTrouble: events.signingKeysTrouble },
    openFetchKeys: () => openFetchKeys(config),
  });
  parts.opened('identities', identities.close);
  const { callers, verifyOperator, tls } = identities;

  const health = createHealth({ tenant, metrics });
  const dashboard = verifyOperator && openDashboard({ tenant, writesPer20s, readiness: health.readiness });
  if (dashboard) parts.opened('dashboard', dashboard.close);

  const app = createApp({
    callers,
    basePath,
    isProxy: createIsTrustedProxy(config.identity.trustedProxies),
    verifyOperator,
    revocations,
    rate: deviceRatePerMin === 0 ? null : createDeviceRate(deviceRatePerMin, tenant.countDevice),
    accept: revocations.whenKnown(tenant.accept),
    forecast,
    find: revocations.whenKnown(tenant.deliveries.find),
    deadLetters: tenant.deadLetters,
    endThrottle: tenant.budget.endThrottle,
    onThrottleEnded: events.throttleEnded,
    startTrace: tracer.startTrace,
    isAlive: () => true,
    ...health,
    readiness: untilStopped(health.readiness, parts.signal),
    dashboard,
    clock,
    random,
    maxBodyBytes,
    maxBatchBytes,
    maxRequestsInFlight,
    onEntry: events.entry,
    onAnswer: events.answered,
    onQueueTrouble: events.queueTrouble,
    onDefect: (error) => events.defect(error, 'a route threw'),
  });
  return { app, tls, tenants: new Map([[tenant.id, tenant]]) };
}

async function openListener(
  { http: { host, port }, keepAliveTimeoutMs }: Config,
  { app, tls, events }: Pick<Api, 'app' | 'tls'> & Pick<Telemetry, 'events'>,
  parts: Parts,
): Promise<Listener> {
  const listener = await listen(app, {
    host,
    port,
    tls,
    onRefused: events.connectionRefused,
    limits: { keepAliveTimeout: keepAliveTimeoutMs },
  }).catch(cannotListen('PORT'));
  parts.signal.addEventListener('abort', listener.drain);
  parts.opened('listener', listener.close);
  return listener;
}
