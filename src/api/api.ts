// The API, wired: env → config → queue → app → listen → close.
import { createApp } from '../http/app.ts';
import { openIdentities } from '../http/identity/identities.ts';
import { createIsTrustedProxy } from '../http/identity/certificate/trusted-proxies.ts';
import { createDeviceRate } from '../http/request/rate.ts';
import { listen } from '../http/server.ts';
import { beginProcess } from '../process/start.ts';
import { watchBacklog } from '../queue/store/backlog.ts';
import { createDeviceCounts } from '../queue/devices/device-counts.ts';
import { createForecast } from '../queue/budget/forecast.ts';
import { watchDurability } from '../queue/redis/health.ts';
import { openRevocations } from '../queue/devices/revocations.ts';
import { openTenantQueue } from '../queue/tenant.ts';
import { openDashboard } from './dashboard-source.ts';
import { createHealth, untilStopped } from './readiness.ts';
import { openFetchKeys } from './signing-keys.ts';
import { cannotListen } from '../process/start-checks.ts';

const { config, log, metrics, events, tracer, lifecycle } = await beginProcess('api');
const { maxBodyBytes, maxBatchBytes, maxRequestsInFlight, deviceRatePerMin, host, port } = config.http;

const queue = await openTenantQueue(config, 'answer', events.redisTrouble, events.waitingForRedis);
lifecycle.opened('queue', queue.close);
const clock = queue.clock.now;
watchDurability(queue.redis, events.durability);
const writesPerSecond = config.delivery.writesPer20s / 20;
const backlog = watchBacklog(queue, config.backlog, writesPerSecond, clock, events.backlog);
lifecycle.opened('backlog watch', backlog.close);

const revocations = await openRevocations(queue.redis, queue.keys, events.redisTrouble);
lifecycle.opened('revocations', revocations.close);
const identities = await openIdentities(config, revocations.isRevoked, {
  // What devices and authorities sign is by the world's clock.
  clock: Date.now,
  random: Math.random,
  told: { reloaded: events.certificatesRead, signingKeysTrouble: events.signingKeysTrouble },
  openFetchKeys: () => openFetchKeys(config),
});
lifecycle.opened('identities', identities.close);

const health = createHealth(queue, metrics, clock, backlog);
const { fullness } = backlog;
const { writesPer20s } = config.delivery;
const dashboard =
  identities.verifyOperator && openDashboard({ queue, writesPer20s, readiness: health.readiness, fullness, clock });
if (dashboard) lifecycle.opened('dashboard', dashboard.close);

const app = createApp({
  callers: identities.callers,
  basePath: config.http.basePath,
  isProxy: createIsTrustedProxy(config.identity.trustedProxies),
  verifyOperator: identities.verifyOperator,
  revocations,
  rate: deviceRatePerMin === 0 ? null : createDeviceRate(deviceRatePerMin, createDeviceCounts(queue.redis, queue.keys)),
  accept: revocations.whenKnown(backlog.accept),
  forecast: createForecast(queue.budget, config.delivery.writesPer20s, clock),
  find: revocations.whenKnown(queue.deliveries.find),
  deadLetters: queue.deadLetters,
  endThrottle: queue.budget.endThrottle,
  onThrottleEnded: events.throttleEnded,
  startTrace: tracer.startTrace,
  isAlive: () => true,
  ...health,
  readiness: untilStopped(health.readiness, lifecycle.signal),
  dashboard,
  clock,
  random: Math.random,
  maxBodyBytes,
  maxBatchBytes,
  maxRequestsInFlight,
  onEntry: events.entry,
  onAnswer: events.answered,
  onQueueTrouble: events.queueTrouble,
  onDefect: (error) => events.defect(error, 'a route threw'),
});
const listener = await listen(
  app,
  host,
  port,
  events.connectionRefused,
  { keepAliveTimeout: config.keepAliveTimeoutMs },
  identities.tls,
).catch(cannotListen('PORT'));
lifecycle.signal.addEventListener('abort', listener.drain);
lifecycle.opened('listener', listener.close);
lifecycle.started();
log.info({ host, port: listener.port }, 'listening');
