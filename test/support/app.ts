// The API as src/main.ts wires it, inside the test: its log and counters readable, its clock and chance movable.
import { pino } from 'pino';
import type { Express } from 'express';
import { expect } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { createEvents, type Events } from '../../src/telemetry/events.ts';
import { createApp } from '../../src/http/app.ts';
import { openIdentities, type Identities } from '../../src/http/identity/identities.ts';
import { createIsTrustedProxy } from '../../src/http/identity/certificate/trusted-proxies.ts';
import { createDeviceRate } from '../../src/http/request/rate.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { watchBacklog } from '../../src/queue/store/backlog.ts';
import { createDeviceCounts } from '../../src/queue/devices/device-counts.ts';
import { createForecast } from '../../src/queue/budget/forecast.ts';
import { watchDurability } from '../../src/queue/redis/health.ts';
import { openRevocations, type Revocations } from '../../src/queue/devices/revocations.ts';
import { openTenantQueue, type TenantQueue } from '../../src/queue/tenant.ts';
import { openDashboard } from '../../src/api/dashboard-source.ts';
import { createHealth } from '../../src/api/readiness.ts';
import { openFetchKeys } from '../../src/api/signing-keys.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from './device.ts';
import type { TestRedis } from './redis.ts';
import { until } from './until.ts';

export const OPERATOR_TOKEN = 'an-operator-token-of-32-characters-or-more';

export type LogLine = { level: number | string; msg: string } & Record<string, unknown>;

export type TestApp = {
  app: Express;
  queue: TenantQueue;
  tls: Identities['tls'];
  revocations: Revocations;
  lines: LogLine[];
  /** The one line about a request, once it is written. */
  told: (requestId: unknown) => Promise<LogLine>;
  /** How many submissions were counted with this code. */
  counted: (code: string) => Promise<number>;
  /** What a listener calls for what never became a request, and how many were counted with this code. */
  connectionRefused: Events['connectionRefused'];
  refusedConnections: (code: string) => Promise<number>;
  close: () => Promise<void>;
};

export type TestAppOptions = { env?: Record<string, string>; clock?: () => number; random?: () => number };

export async function startTestApp(
  redis: Pick<TestRedis, 'url'>,
  { env = {}, clock = Date.now, random = Math.random }: TestAppOptions = {},
): Promise<TestApp> {
  const config = parseConfig(
    {
      REDIS_URL: redis.url,
      DEVICE_GROUP_KEYS: `${GROUP_KEY},${OLD_GROUP_KEY}`,
      OPERATOR_TOKEN,
      // Tests have one device do the work of a fleet.
      DEVICE_RATE_PER_MIN: '0',
      ...env,
    },
    'api',
  );
  const lines: LogLine[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line) as LogLine) });
  const metrics = createMetrics();
  const events = createEvents(log, metrics);
  const { maxBodyBytes, maxBatchBytes, maxRequestsInFlight, deviceRatePerMin } = config.http;
  const queue = await openTenantQueue(config, 'answer', events.redisTrouble);
  watchDurability(queue.redis, events.durability);
  const writesPerSecond = config.delivery.writesPer20s / 20;
  const backlog = watchBacklog(queue, config.backlog, writesPerSecond, clock, events.backlog);
  const revocations = await openRevocations(queue.redis, queue.keys, events.redisTrouble);
  const identities = await openIdentities(config, revocations.isRevoked, {
    clock,
    random,
    told: { reloaded: events.certificatesRead, signingKeysTrouble: events.signingKeysTrouble },
    openFetchKeys: () => openFetchKeys(config),
  });
  const health = createHealth(queue, metrics, clock, backlog);
  const { fullness } = backlog;
  const { writesPer20s } = config.delivery;
  const dashboard =
    identities.verifyOperator && openDashboard({ queue, writesPer20s, readiness: health.readiness, fullness, clock });
  const app = createApp({
    callers: identities.callers,
    basePath: config.http.basePath,
    isProxy: createIsTrustedProxy(config.identity.trustedProxies),
    verifyOperator: identities.verifyOperator,
    revocations,
    rate:
      deviceRatePerMin === 0 ? null : createDeviceRate(deviceRatePerMin, createDeviceCounts(queue.redis, queue.keys)),
    accept: revocations.whenKnown(backlog.accept),
    forecast: createForecast(queue.budget, config.delivery.writesPer20s, clock),
    find: revocations.whenKnown(queue.deliveries.find),
    deadLetters: queue.deadLetters,
    endThrottle: queue.budget.endThrottle,
    onThrottleEnded: events.throttleEnded,
    startTrace: null,
    isAlive: () => true,
    ...health,
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
  return {
    app,
    queue,
    tls: identities.tls,
    revocations,
    lines,
    told: (requestId) =>
      until(`a log line about request ${String(requestId)}`, () =>
        lines.find((line) => line['requestId'] === requestId),
      ),
    counted: (code) => sumOf(metrics.submissions, code),
    connectionRefused: events.connectionRefused,
    refusedConnections: (code) => sumOf(metrics.connectionsRefused, code),
    close: async () => {
      backlog.close();
      await dashboard?.close();
      revocations.close();
      identities.close();
      expect(lines.filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
      await queue.close();
    },
  };
}

async function sumOf(counter: Pick<Metrics['submissions'], 'get'>, code: string): Promise<number> {
  const { values } = await counter.get();
  return values.filter(({ labels }) => labels['code'] === code).reduce((sum, { value }) => sum + value, 0);
}

/** Resolves once the queue has its connection; until then it answers no. */
export async function untilConnected({ queue }: TestApp, withinMs?: number): Promise<void> {
  await until('a connection to Redis', () => queue.redis.status === 'ready', withinMs);
}
