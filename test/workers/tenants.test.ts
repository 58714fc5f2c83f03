// Many tenants in one worker: each to its own Graph with its own credential; held, paused, added and removed by itself.
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openApi, type Api } from '../../src/api/api.ts';
import { parseConfig } from '../../src/config/config.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { openWorker, type Worker } from '../../workers/worker.ts';
import { trustedTlsDirectory } from '../support/graph.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun } from '../support/tenant.ts';
import { createTenantsFile, type TenantsFile } from '../support/tenants-file.ts';
import { until } from '../support/until.ts';

let redis: TestRedis;
let file: TenantsFile;
const sandboxes = new Map<string, Sandbox>();
let api: Api;
let worker: Worker;

const sandboxOf = (id: string): Sandbox => {
  const sandbox = sandboxes.get(id);
  if (!sandbox) throw new Error(`there is no sandbox of ${id}`);
  return sandbox;
};

function entryOf(id: string, changes: object = {}): object {
  const { tenantId, clientId, clientSecret, graphBaseUrl, authorityHost } = sandboxOf(id);
  const groupKey = Buffer.alloc(32, id.length).toString('base64');
  return file.tenant(id, groupKey, {
    azure: { tenantId, clientId, clientSecretFile: file.file(`${id}-client-secret`, clientSecret) },
    graph: { baseUrl: graphBaseUrl, authorityHost, writesPer20s: 2000 },
    ...changes,
  });
}

beforeAll(async () => {
  redis = await startTestRedis();
  file = createTenantsFile();
  for (const id of ['contoso', 'adatum']) {
    const limiter = { writesPer20s: 100_000, requestsPer20s: 100_000 };
    sandboxes.set(id, await createSandbox({ tlsDirectory: trustedTlsDirectory(), limiter }));
  }
  file.write([entryOf('contoso'), entryOf('adatum')]);
  const env = { TENANTS_FILE: file.path, REDIS_URL: redis.url, HOST: '127.0.0.1', PORT: '0', WORKER_PORT: '0' };
  const telemetry = () => createTelemetry(pino({ level: 'silent' }), { byTenant: true });
  api = await openApi(parseConfig(env, 'api'), { telemetry: telemetry() });
  worker = await openWorker(parseConfig({ ...env, HOLD_PROBE_MS: '50' }, 'worker'), { telemetry: telemetry() });
});
afterAll(async () => {
  await worker.close();
  await api.close();
  for (const sandbox of sandboxes.values()) await sandbox.close();
  await redis.close();
  file.close();
});

async function accept(id: string, number: string, changes: Partial<RunResult> = {}): Promise<void> {
  const tenant = api.tenants.find(id)?.tenant;
  const [hardwareConfigurationId = ''] = sandboxOf(id).configurationIds;
  await tenant?.accept(aRun(number, { hardwareConfigurationId, ...changes }), Date.now());
}

const created = (id: string) => sandboxOf(id).records().length;
const untilCreated = (id: string, count: number) =>
  until(`${count} records of ${id}`, () => created(id) === count, 20_000);

test('the same runs of two tenants · are created in the Graph of each · once', async () => {
  for (const id of ['contoso', 'adatum']) for (const number of ['1', '2', '3']) await accept(id, number);
  await untilCreated('contoso', 3);
  await untilCreated('adatum', 3);
  expect([...sandboxes.values()].flatMap((sandbox) => sandbox.duplicates())).toEqual([]);
});

test('one that is held · holds nobody else', async () => {
  sandboxOf('contoso').script('next 12 creates: 403');
  await accept('contoso', '4');
  await until('the hold', async () => {
    const snapshot = await api.tenants.find('contoso')?.tenant.readSnapshot();
    return snapshot !== undefined && snapshot.holds.length > 0;
  });
  await accept('adatum', '4');
  await untilCreated('adatum', 4);
  expect(created('contoso')).toBe(3);
  const metrics = await (await fetch(`http://127.0.0.1:${worker.port}/metrics`)).text();
  expect(metrics).toMatch(/runstate_held\{reason="forbidden",tenant="contoso"\} 1/);
  expect(metrics).toMatch(/runstate_held\{reason="forbidden",tenant="adatum"\} 0/);
  const readiness = (await (await fetch(`http://127.0.0.1:${worker.port}/readyz`)).json()) as object;
  expect(readiness).toMatchObject({
    status: 'degraded',
    checks: { graph: { detail: expect.stringMatching(/^1 of 2 tenants; contoso: forbidden/) as string } },
  });
  await untilCreated('contoso', 4);
}, 40_000);

test('a paused tenant · accepts and creates nothing · until it is paused no more', async () => {
  file.write([entryOf('contoso'), entryOf('adatum', { paused: true })]);
  const workers = worker.tenants;
  const before = workers.find('adatum');
  await until('the pause', () => workers.find('adatum') !== before);
  await accept('adatum', '5');
  await accept('contoso', '5');
  await untilCreated('contoso', 5);
  expect(created('adatum')).toBe(4);
  file.write([entryOf('contoso'), entryOf('adatum')]);
  await untilCreated('adatum', 5);
}, 40_000);

test('a tenant that is removed · stops · and goes on where it was when it is back', async () => {
  const contoso = worker.tenants.find('contoso');
  file.write([entryOf('contoso')]);
  await until('its end in the worker', () => worker.tenants.find('adatum') === null);
  await accept('contoso', '6');
  await untilCreated('contoso', 6);
  expect(worker.tenants.find('contoso')).toBe(contoso);
  await until('its end in the API', () => api.tenants.find('adatum') === null);
  file.write([entryOf('contoso'), entryOf('adatum')]);
  await until('it in the API', () => api.tenants.find('adatum') !== null);
  await accept('adatum', '5');
  await accept('adatum', '6');
  await untilCreated('adatum', 6);
}, 40_000);
