// The API within the test process, opened as in production, with readable log and counters and replaceable clock and randomness.
import { pino } from 'pino';
import { expect } from 'vitest';
import { openApi, type Api } from '../../src/api/api.ts';
import { parseConfig } from '../../src/config/config.ts';
import type { AcceptingTenant } from '../../src/queue/accepting-tenant.ts';
import { ENVIRONMENT_TENANT } from '../../src/queue/tenant.ts';
import type { Events } from '../../src/telemetry/events.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from './device.ts';
import type { TestRedis } from './redis.ts';
import { until } from './until.ts';

export const OPERATOR_TOKEN = 'an-operator-token-of-32-characters-or-more';

export type LogLine = { level: number | string; msg: string } & Record<string, unknown>;

export type TestApp = Api & {
  tenant: AcceptingTenant;
  lines: LogLine[];
  /** The log line of a request, once it is written. */
  told: (requestId: unknown) => Promise<LogLine>;
  /** The number of submissions counted with this code. */
  counted: (code: string) => Promise<number>;
  /** The listener's callback for requests that never became valid, and the number counted with this code. */
  connectionRefused: Events['connectionRefused'];
  refusedConnections: (code: string) => Promise<number>;
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
      HOST: '127.0.0.1',
      PORT: '0',
      // In tests one device does the work of a fleet.
      DEVICE_RATE_PER_MIN: '0',
      ...env,
    },
    'api',
  );
  const lines: LogLine[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line) as LogLine) });
  const telemetry = createTelemetry(log);
  const { metrics, events } = telemetry;
  const api = await openApi(config, { telemetry, clock, random });
  const tenant = api.tenants.get(ENVIRONMENT_TENANT);
  if (!tenant) throw new Error('the API opened no tenant');
  return {
    ...api,
    tenant,
    lines,
    told: (requestId) =>
      until(`a log line about request ${String(requestId)}`, () =>
        lines.find((line) => line['requestId'] === requestId),
      ),
    counted: (code) => sumOf(metrics.submissions, code),
    connectionRefused: events.connectionRefused,
    refusedConnections: (code) => sumOf(metrics.connectionsRefused, code),
    close: async () => {
      await api.close();
      expect(lines.filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
    },
  };
}

async function sumOf(counter: Pick<Metrics['submissions'], 'get'>, code: string): Promise<number> {
  const { values } = await counter.get();
  return values.filter(({ labels }) => labels['code'] === code).reduce((sum, { value }) => sum + value, 0);
}

/** Resolves once the queue is connected; until then it refuses requests. */
export async function untilConnected({ tenant }: TestApp, withinMs?: number): Promise<void> {
  await until('a connection to Redis', () => tenant.redis.status === 'ready', withinMs);
}
