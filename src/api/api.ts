// The API: opens Redis, the identities, the tenants and the routes of a configuration, and listens.
import type { Config } from '../config/config.ts';
import { watchTenants } from '../config/tenants/watch.ts';
import { createApp } from '../http/app.ts';
import { openIdentities, type Identities } from '../http/identity/identities.ts';
import type { VerifyInDirectory } from '../http/identity/certificate/directory.ts';
import type { HealthParts } from '../http/routes/health.ts';
import { listen, type Listener } from '../http/server.ts';
import { joinSiblings } from '../process/siblings.ts';
import { mergeMetrics } from '../telemetry/merge-metrics.ts';
import { openParts, type Parts } from '../process/parts.ts';
import { createOpenTenants, type OpenTenants } from '../process/open-tenants.ts';
import { cannotListen } from '../process/start-checks.ts';
import { createBoard } from '../queue/jobs/board.ts';
import { openRedis } from '../queue/redis/open-redis.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { openAnnouncements } from './announcements.ts';
import { openApiTenant, type ApiTenant } from './api-tenant.ts';
import { createHealth } from './health.ts';
import { untilStopped } from './readiness.ts';
import { openFetchKeys } from './signing-keys.ts';

export type ApiOptions = {
  telemetry: Telemetry;
  /** Parts of the process that this API becomes part of; without them it has its own. */
  parts?: Parts;
  /** Replaces the clock of Redis, and the system clock that signatures and certificates are checked against. */
  clock?: () => number;
  random?: () => number;
  /** Asks the directory about certificates that Entra issued; without it they are not accepted. */
  verifyInDirectory?: VerifyInDirectory;
};

export type Api = {
  port: number;
  /** The routes, for a listener of the caller's own. */
  app: ReturnType<typeof createApp>;
  tls: Identities['tls'];
  tenants: Pick<OpenTenants<ApiTenant>, 'find' | 'all'>;
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
  events.beginSubmissions();
  const { maxBodyBytes, maxBatchBytes, maxRequestsInFlight, deviceRatePerMin, basePath } = config.http;

  const redis = await openRedis(config.redis, 'answer', events);
  parts.opened('redis', redis.close);
  const configured = await watchTenants(config, 'api', events.tenantsRead);
  parts.opened('tenants file', configured.close);

  const identities = await openIdentities(config, {
    clock: options.clock ?? Date.now,
    random,
    events: {
      reloaded: events.certificatesRead,
      signingKeysTrouble: events.signingKeysTrouble,
      queueTrouble: events.queueTrouble,
    },
    openFetchKeys: () => openFetchKeys(config),
    isRevoked: ({ tenantId, deviceId }) => tenants.find(tenantId)?.tenant.revocations.isRevoked(deviceId) ?? true,
  });
  parts.opened('identities', identities.close);
  const { callers, isProxy, verifyOperator, tls } = identities;

  const announcements = await openAnnouncements(config, {
    tenants: () => tenants.all().map(({ tenant }) => tenant),
    accepts: true,
    random,
    events,
    parts,
  });
  const tenants: OpenTenants<ApiTenant> = createOpenTenants({
    open: (tenant) =>
      openApiTenant(tenant, {
        redis,
        telemetry: announcements.noticing(tenant.id, telemetry.ofTenant(tenant.id)),
        identities,
        clock: options.clock,
        verifyInDirectory: options.verifyInDirectory,
        deviceRatePerMin,
        readiness: () => health.readiness(),
      }),
    onFailed: events.tenantFailed,
  });
  const health = createHealth({
    redis,
    tenants: tenants.all,
    metrics,
    labelsOf: (id) => telemetry.ofTenant(id).labels,
    tenantsFile: config.tenantsFile === null ? null : configured,
  });
  await tenants.open(configured.current());
  parts.opened('tenants', tenants.close);
  configured.onChange(tenants.apply);

  const app = createApp({
    callers,
    basePath,
    isProxy,
    verifyOperator,
    tenants: {
      find: (id) => tenants.find(id)?.served ?? null,
      all: () => tenants.all().map(({ served }) => served),
    },
    onThrottleEnded: events.throttleEnded,
    onOperation: events.operation,
    startTrace: tracer.startTrace,
    isAlive: () => true,
    ...health,
    metrics: withSiblings(health.metrics, joinSiblings(metrics.text)),
    readiness: untilStopped(health.readiness, parts.signal),
    dashboard: verifyOperator && { of: (id) => tenants.find(id)?.dashboard ?? null, board: createBoard(redis.jobs) },
    random,
    maxBodyBytes,
    maxBatchBytes,
    maxRequestsInFlight,
    onEntry: events.entry,
    onAnswer: events.answered,
    onQueueTrouble: events.queueTrouble,
    onDefect: (error) => events.defect(error, 'a route threw'),
  });
  return { app, tls, tenants };
}

/** A scrape reaches one of the processes that share a port, and has to be about all of them. */
function withSiblings(own: HealthParts['metrics'], ask: ReturnType<typeof joinSiblings>): HealthParts['metrics'] {
  if (!ask) return own;
  return async () => {
    const { contentType, text } = await own();
    return { contentType, text: mergeMetrics([text, ...(await ask(text))]) };
  };
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
