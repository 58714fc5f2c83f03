// Every profile of the sandbox to its end: real API, real worker, a fleet that loses an answer – and what docs/profiles.md says.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { GROUP_KEY, runResult, sign } from '../support/device.ts';
import { startApi, startProcess } from '../support/process.ts';
import type { TestProcess } from '../support/process.ts';
import { startTestRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { PROFILE_NAMES } from '../../src/sandbox/profiles/named.ts';
import type { ProfileName } from '../../src/sandbox/profiles/named.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { createClient } from './client.ts';

const OPERATOR_TOKEN = 'operators-of-the-test-of-the-profiles';

type Delivery = { status: string; lastFailure: { code: string } | null; deviceRunStateId: string | null };
type Tenant = {
  counts: Record<string, number>;
  holds: { reason: string; hardwareConfigurationId?: string }[];
  graph: Record<string, unknown>;
};

let redis: TestRedis;
let sandbox: Sandbox;
let processes: TestProcess[] = [];
let url: string;
beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox({ limiter: { writesPer20s: 100_000, requestsPer20s: 100_000 } });
});
afterEach(async () => {
  await Promise.all(processes.map((one) => one.close()));
  processes = [];
  sandbox.reset();
});
afterAll(async () => {
  await sandbox.close();
  await redis.close();
});

async function startBridge(prefix: string): Promise<void> {
  const shared = { REDIS_URL: redis.url, REDIS_PREFIX: prefix };
  const worker = startProcess('workers/main.ts', {
    ...shared,
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    GRAPH_WRITES_PER_20S: '20000',
    UNCERTAIN_LOOK_AFTER_MS: '50',
    HOLD_PROBE_MS: '100',
    ...sandbox.environment(),
  });
  processes = [worker];
  const { api, url: address } = await startApi({ ...shared, DEVICE_GROUP_KEYS: GROUP_KEY, OPERATOR_TOKEN });
  processes = [api, worker];
  url = address;
}

async function submit(deviceId: string, runId: string, configuration: number): Promise<string> {
  const body = JSON.stringify(
    runResult({
      runId,
      deviceId,
      deviceName: deviceId,
      hardwareConfigurationId: sandbox.configurationIds[configuration],
      output: `${runId}: ${'all settings applied '.repeat(100)}`,
    }),
  );
  const headers = { 'Content-Type': 'application/json', ...sign({ body, deviceId }) };
  const response = await fetch(`${url}/v1/run-results`, { method: 'POST', headers, body });
  expect(response.status).toBe(202);
  return ((await response.json()) as { deliveryId: string }).deliveryId;
}

async function operate<T>(path: string): Promise<T> {
  const response = await fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${OPERATOR_TOKEN}` } });
  return (await response.json()) as T;
}

async function readTenant(): Promise<Tenant> {
  const { tenants } = await operate<{ tenants: Tenant[] }>('/v1/status');
  return tenants[0] ?? { counts: {}, holds: [], graph: {} };
}

const read = (id: string) => operate<Delivery>(`/v1/deliveries/${id}`);
const control = (path: string, body: string) => fetch(`${sandbox.controlUrl}${path}`, { method: 'POST', body });

/** `all`: every result. `one-of-two`: of the two results of one device. */
type Expected = {
  delivered: 'all' | 'none' | 'one-of-two' | 'others';
  hold?: string;
  graph?: Record<string, unknown>;
};

const FORBIDDEN = 'forbidden';
const EXPECTED: Record<ProfileName, Expected> = {
  'no-create': { delivered: 'none', hold: 'route-not-served', graph: { createProven: false } },
  'no-filter': { delivered: 'all', graph: { filterTaken: false, createProven: true } },
  'no-filter-500': { delivered: 'all', graph: { createProven: true } },
  'no-keys': { delivered: 'all' },
  'composite-ids': { delivered: 'all' },
  'one-row-per-device': { delivered: 'one-of-two', graph: { oneRowPerDevice: false } },
  'one-row-per-device-replaced': { delivered: 'all', graph: { oneRowPerDevice: true } },
  'forbidden-configuration': { delivered: 'others', hold: FORBIDDEN },
  shortening: { delivered: 'all' },
  'looping-pages': { delivered: 'all' },
  'app-only-403': { delivered: 'none', hold: FORBIDDEN, graph: { createProven: false } },
};

test.each(PROFILE_NAMES)(
  '%s · to its end · nothing is created twice, and what was held flows once it is over',
  async (name) => {
    const expected = EXPECTED[name];
    await startBridge(`profile-${name}`);
    expect((await control('/set', JSON.stringify({ profile: name }))).status).toBe(204);
    if (expected.hold === undefined) sandbox.script('next 2 creates: 504 after the write');
    const ids = [
      await submit('PC-1', 'run-1', 0),
      await submit('PC-1', 'run-2', 0),
      await submit('PC-2', 'run-1', 1),
      await submit('PC-3', 'run-1', 2),
    ];
    const isAsExpected = (deliveries: Delivery[]) => {
      const delivered = deliveries.map(({ status }) => status === 'delivered');
      switch (expected.delivered) {
        case 'all':
          return delivered.every(Boolean);
        case 'none':
          return !delivered.some(Boolean);
        case 'others':
          return delivered.join() === 'false,false,true,true';
        case 'one-of-two':
          return (
            delivered[2] && delivered[3] && deliveries.some(({ lastFailure }) => lastFailure?.code === 'graph-409')
          );
      }
    };
    await until(
      'it is as expected',
      async () => {
        const { holds, graph } = await readTenant();
        return (
          isAsExpected(await Promise.all(ids.map(read))) &&
          (expected.hold === undefined ? holds.length === 0 : holds.some(({ reason }) => reason === expected.hold)) &&
          (expected.delivered !== 'others' ||
            holds.some(({ hardwareConfigurationId }) => hardwareConfigurationId === sandbox.configurationIds[0])) &&
          Object.entries(expected.graph ?? {}).every(([fact, holds]) => graph[fact] === holds)
        );
      },
      40_000,
    );
    const { counts } = await readTenant();
    if (expected.delivered === 'one-of-two') await untilDead(ids);
    else expect(counts['dead']).toBe(0);

    expect((await control('/script', 'profile none')).status).toBe(204);
    await until(
      'all has ended',
      async () => {
        const { counts: now, holds: left } = await readTenant();
        return left.length === 0 && (now['delivered'] ?? 0) + (now['dead'] ?? 0) === ids.length;
      },
      40_000,
    );
    const deliveries = await Promise.all(ids.map(read));
    const isOneRow = name.startsWith('one-row');
    expect(deliveries.filter(({ status }) => status === 'delivered')).toHaveLength(
      name === 'one-row-per-device' ? 3 : 4,
    );
    expect(sandbox.duplicates()).toEqual([]);
    expect(sandbox.records()).toHaveLength(isOneRow ? 3 : 4);
    if (name === 'composite-ids') {
      for (const { deviceRunStateId } of deliveries)
        expect(deviceRunStateId).toMatch(/^[\da-f-]{36}_[\da-f-]{36}_\d+$/);
    }
  },
  100_000,
);

const untilDead = (ids: string[]) =>
  until(
    'one is dead',
    async () => {
      const deliveries = await Promise.all(ids.map(read));
      return (
        deliveries
          .filter(({ status }) => status === 'dead')
          .map(({ lastFailure }) => lastFailure?.code)
          .join() === 'graph-409'
      );
    },
    40_000,
  );

test('what is refused · is refused in Intune’s format · and an unknown profile is an error', async () => {
  const client = createClient(sandbox);
  const errorOf = async (method: string, path: string) => {
    const response = await client.send(method, path, method === 'POST' ? { deviceName: 'PC' } : undefined);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    const { Message } = JSON.parse(error.message) as { Message: string };
    return [response.status, error.code, Message];
  };
  sandbox.script('profile no-create');
  expect(await errorOf('POST', client.statesPath())).toEqual([
    400,
    'No method match route template',
    expect.stringMatching(/^No OData route exists that match template .* with http verb POST for request/),
  ]);
  sandbox.script('profile no-keys');
  for (const method of ['PATCH', 'DELETE']) {
    expect((await errorOf(method, `${client.statesPath()}/any`)).slice(0, 2)).toEqual([
      400,
      'No method match route template',
    ]);
  }
  sandbox.script('profile app-only-403');
  expect((await errorOf('POST', client.statesPath())).slice(0, 2)).toEqual([403, 'Forbidden']);
  const answers = [await control('/script', 'profile no-such'), await control('/set', '{"profile":"no-such"}')];
  for (const answer of answers)
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('no-create')]);
  await client.close();
});

test('the documentation · has a row · for each profile', () => {
  const rows = [...readFileSync('docs/profiles.md', 'utf8').matchAll(/^\| `([^`]+)` /gm)].map(([, name]) => name);
  expect(rows).toEqual(PROFILE_NAMES);
});
