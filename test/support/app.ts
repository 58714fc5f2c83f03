// The API within the test process, opened as in production, with readable log and counters and replaceable clock and randomness.
import { pino } from 'pino';
import { expect } from 'vitest';
import { openApi, type Api } from '../../src/api/api.ts';
import { parseConfig } from '../../src/config/config.ts';
import type { VerifyInDirectory } from '../../src/http/identity/certificate/directory.ts';
import { listen } from '../../src/http/server.ts';
import type { AcceptingTenant } from '../../src/queue/accepting-tenant.ts';
import { DEFAULT_TENANT } from '../../src/config/tenants/tenant.ts';
import type { Events } from '../../src/telemetry/events.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from './device.ts';
import type { TestRedis } from './redis.ts';
import { until } from './until.ts';

export const OPERATOR_TOKEN = 'an-operator-token-of-32-characters-or-more';

export type LogLine = { level: number | string; msg: string } & Record<string, unknown>;

export type TestApi = Api & {
  lines: LogLine[];
  /** The log line of a request, once it is written. */
  told: (requestId: unknown) => Promise<LogLine>;
  /** The number of submissions counted with this code. */
  counted: (code: string) => Promise<number>;
  /** The listener's callback for requests that never became valid, and the number counted with this code. */
  connectionRefused: Events['connectionRefused'];
  refusedConnections: (code: string) => Promise<number>;
};

export type TestApp = TestApi & { tenant: AcceptingTenant };

export type TestAppOptions = {
  env?: Record<string, string>;
  clock?: () => number;
  random?: () => number;
  verifyInDirectory?: VerifyInDirectory;
};

/** With the one tenant of its environment. */
export async function startTestApp(
  redis: Pick<TestRedis, 'url'>,
  { env = {}, ...options }: TestAppOptions = {},
): Promise<TestApp> {
  const keys = { DEVICE_GROUP_KEYS: `${GROUP_KEY},${OLD_GROUP_KEY}` };
  const api = await startTestApi(redis, { ...options, env: { ...keys, ...env } });
  const tenant = api.tenants.find(DEFAULT_TENANT)?.tenant;
  if (!tenant) throw new Error('the API opened no tenant');
  return { ...api, tenant };
}

export async function startTestApi(
  redis: Pick<TestRedis, 'url'>,
  { env = {}, clock = Date.now, random = Math.random, ...options }: TestAppOptions = {},
): Promise<TestApi> {
  const config = parseConfig(
    {
      REDIS_URL: redis.url,
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
  const telemetry = createTelemetry(log, { byTenant: config.tenantsFile !== null });
  const { metrics, events } = telemetry;
  const api = await openApi(config, { telemetry, clock, random, ...options });
  return {
    ...api,
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

/** The sum of a counter's series with this code. */
function sumOf(counter: Pick<Metrics['submissions'], 'render'>, code: string): Promise<number> {
  const lines = counter
    .render()
    .split('\n')
    .filter((line) => line.includes(`code="${code}"`));
  return Promise.resolve(lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0));
}

/** Resolves once the queue is connected; until then it refuses requests. */
export async function untilConnected({ tenant }: TestApp, withinMs?: number): Promise<void> {
  await until('a connection to Redis', () => tenant.redis.status === 'ready', withinMs);
}

export type ListeningApp = TestApp & { port: number };

/** Connected, and behind the product's own listener: on a free port of this machine, over TLS if it has a certificate. */
export async function startListeningApp(
  redis: Pick<TestRedis, 'url'>,
  options?: TestAppOptions,
): Promise<ListeningApp> {
  const world = await startTestApp(redis, options);
  await untilConnected(world);
  const { app, connectionRefused, tls } = world;
  const listener = await listen(app, { host: '127.0.0.1', port: 0, onRefused: connectionRefused, tls });
  return {
    ...world,
    port: listener.port,
    close: async () => {
      await listener.close();
      await world.close();
    },
  };
}
