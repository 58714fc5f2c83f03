// The API: opens the queue, the identities, the dashboard and the routes of a configuration, and listens.
import type { Config } from '../config/config.ts';
import { toPerSecond } from '../domain/pace/per-window.ts';
import { createApp } from '../http/app.ts';
import { openIdentities, type Identities } from '../http/identity/identities.ts';
import { createIsTrustedProxy } from '../http/identity/certificate/trusted-proxies.ts';
import { createDeviceRate } from '../http/request/rate.ts';
import { listen, type Listener } from '../http/server.ts';
import { openParts, type Parts } from '../process/parts.ts';
import { cannotListen } from '../process/start-checks.ts';
import { createForecast } from '../queue/budget/forecast.ts';
import { createDeviceCounts } from '../queue/devices/device-counts.ts';
import { openRevocations, type Revocations } from '../queue/devices/revocations.ts';
import { watchDurability } from '../queue/redis/health.ts';
import { watchBacklog } from '../queue/store/backlog.ts';
import { openTenantQueue, type TenantQueue } from '../queue/tenant.ts';
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
  queue: TenantQueue;
  revocations: Revocations;
  close: () => Promise<void>;
};

/** @throws CannotStart where the configuration names what this machine does not have */
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

  const queue = await openTenantQueue(config, 'answer', events.redisTrouble, events.waitingForRedis);
  parts.opened('queue', queue.close);
  watchDurability(queue.redis, events.durability);
  const clock = options.clock ?? queue.clock.now;
  const backlog = watchBacklog(queue, config.backlog, toPerSecond(writesPer20s), clock, events.backlog);
  parts.opened('backlog watch', backlog.close);

  const revocations = await openRevocations(queue.redis, queue.keys, events.redisTrouble);
  parts.opened('revocations', revocations.close);
  const identities = await openIdentities(config, revocations.isRevoked, {
    clock: options.clock ?? Date.now,
    random,
    events: { reloaded: events.certificatesRead, signingKeysTrouble: events.signingKeysTrouble },
    openFetchKeys: () => openFetchKeys(config),
  });
  parts.opened('identities', identities.close);
  const { callers, verifyOperator, tls } = identities;

  const health = createHealth({ queue, metrics, clock, backlog });
  const { fullReason } = backlog;
  const dashboard =
    verifyOperator && openDashboard({ queue, writesPer20s, readiness: health.readiness, fullReason, clock });
  if (dashboard) parts.opened('dashboard', dashboard.close);

  const app = createApp({
    callers,
    basePath,
    isProxy: createIsTrustedProxy(config.identity.trustedProxies),
    verifyOperator,
    revocations,
    rate:
      deviceRatePerMin === 0 ? null : createDeviceRate(deviceRatePerMin, createDeviceCounts(queue.redis, queue.keys)),
    accept: revocations.whenKnown(backlog.accept),
    forecast: createForecast(queue.budget, writesPer20s, clock),
    find: revocations.whenKnown(queue.deliveries.find),
    deadLetters: queue.deadLetters,
    endThrottle: queue.budget.endThrottle,
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
  return { app, tls, queue, revocations };
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
