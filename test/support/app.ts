// The API as src/main.ts wires it, inside the test: its log and counters readable, its clock and chance movable.
import { pino } from 'pino';
import type { Express } from 'express';
import { expect } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { createEvents } from '../../src/events.ts';
import { createApp } from '../../src/http/app.ts';
import { createVerifyDevice, createVerifyOperator } from '../../src/http/credentials.ts';
import { createMetrics } from '../../src/metrics.ts';
import { watchDurability } from '../../src/queue/health.ts';
import { openTenantQueue, type TenantQueue } from '../../src/queue/tenant.ts';
import { createHealth } from '../../src/readiness.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from './device.ts';
import type { TestRedis } from './redis.ts';
import { until } from './until.ts';

export const OPERATOR_TOKEN = 'an-operator-token-of-32-characters-or-more';

export type LogLine = { level: number | string; msg: string } & Record<string, unknown>;

export type TestApp = {
  app: Express;
  queue: TenantQueue;
  lines: LogLine[];
  /** The one line about a request, once it is written. */
  told: (requestId: unknown) => Promise<LogLine>;
  /** How many submissions were counted with this code. */
  counted: (code: string) => Promise<number>;
  close: () => Promise<void>;
};

export type TestAppOptions = { env?: Record<string, string>; clock?: () => number; random?: () => number };

export async function startTestApp(
  redis: Pick<TestRedis, 'url'>,
  { env = {}, clock = Date.now, random = Math.random }: TestAppOptions = {},
): Promise<TestApp> {
  const config = parseConfig(
    { REDIS_URL: redis.url, DEVICE_GROUP_KEYS: `${GROUP_KEY},${OLD_GROUP_KEY}`, OPERATOR_TOKEN, ...env },
    'api',
  );
  const lines: LogLine[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line) as LogLine) });
  const metrics = createMetrics();
  const events = createEvents(log, metrics);
  const { operatorToken, groupKeys, maxBodyBytes } = config.http;
  const queue = await openTenantQueue(config, 'answer', events.redisTrouble);
  watchDurability(queue.redis, events.durability);
  const app = createApp({
    verifyDevice: createVerifyDevice(
      groupKeys.map((key) => Buffer.from(key.reveal(), 'base64')),
      clock,
    ),
    verifyOperator: operatorToken && createVerifyOperator(operatorToken.reveal()),
    accept: queue.deliveries.accept,
    find: queue.deliveries.find,
    deadLetters: queue.deadLetters,
    isAlive: () => true,
    ...createHealth(queue, metrics, config.delivery.writesPer20s, clock),
    clock,
    random,
    maxBodyBytes,
    onAnswer: events.answered,
    onQueueTrouble: events.queueTrouble,
    onDefect: (error) => events.defect(error, 'a route threw'),
  });
  return {
    app,
    queue,
    lines,
    told: (requestId) =>
      until(`a log line about request ${String(requestId)}`, () =>
        lines.find((line) => line['requestId'] === requestId),
      ),
    counted: async (code) => {
      const { values } = await metrics.submissions.get();
      return values.filter(({ labels }) => labels['code'] === code).reduce((sum, { value }) => sum + value, 0);
    },
    close: async () => {
      expect(lines.filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
      await queue.close();
    },
  };
}

/** Resolves once the queue has its connection; until then it answers no. */
export async function untilConnected({ queue }: TestApp, withinMs?: number): Promise<void> {
  await until('a connection to Redis', () => queue.redis.status === 'ready', withinMs);
}
