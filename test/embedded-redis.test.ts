// The processes on their embedded Redis: what was accepted stays through stalls, slow starts and kills, and there is one server.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { findProgram, searchPath } from '../src/queue/redis/embedded/file-lock.ts';
import { readDelivery, submit, type DeviceClientOptions } from '../src/device/device-client.ts';
import { createSandbox, type Sandbox } from '../src/sandbox/sandbox.ts';
import { serversIn } from './support/embedded.ts';
import { startProcess, type TestProcess } from './support/process.ts';
import { aRun } from './support/tenant.ts';
import { until } from './support/until.ts';

const groupKey = Buffer.alloc(32, 'embedded');

let sandbox: Sandbox;
let directory: string;
let processes: TestProcess[];

beforeAll(async () => {
  sandbox = await createSandbox();
});
afterAll(() => sandbox.close());
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-data-'));
  processes = [];
});
afterEach(async () => {
  for (const pid of serversIn(directory)) process.kill(pid, 'SIGCONT');
  await Promise.all(processes.map((one) => one.close()));
  await until('no server is left', () => serversIn(directory).length === 0);
  await rm(directory, { recursive: true, force: true });
});

function start(main: 'src/main.ts' | 'workers/main.ts', more: Record<string, string> = {}): TestProcess {
  const started = startProcess(main, {
    ...sandbox.environment(),
    DATA_DIR: directory,
    DEVICE_GROUP_KEYS: groupKey.toString('base64'),
    HOST: '127.0.0.1',
    PORT: '0',
    WORKER_PORT: '0',
    UNCERTAIN_LOOK_AFTER_MS: '300',
    GRAPH_WRITES_PER_20S: '1000',
    ...more,
  });
  processes.push(started);
  return started;
}
const urlOf = async (started: TestProcess) =>
  `http://127.0.0.1:${Number((await Promise.race([started.line('listening'), started.line('working')]))['port'])}`;
const agent = (baseUrl: string, number: number): DeviceClientOptions => ({
  baseUrl,
  deviceId: `device-${number}`,
  deviceKey: deriveDeviceKey(groupKey, `device-${number}`).toString('base64'),
});
const submitRun = (url: string, number: number) =>
  submit(aRun(number, { hardwareConfigurationId: sandbox.configurationIds[0] ?? '' }), agent(url, number));
async function accepted(url: string, number: number): Promise<string> {
  const outcome = await submitRun(url, number);
  if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
  return outcome.receipt.deliveryId;
}
async function readiness(url: string): Promise<{ status: number; redis: string }> {
  const response = await fetch(`${url}/readyz`);
  const { checks } = (await response.json()) as { checks: Record<string, { detail: string }> };
  return { status: response.status, redis: checks['redis']?.detail ?? '' };
}
/** Kills the processes and their server at once, starts the API again, and waits until it knows all these. */
async function killAllAndFind(deliveryIds: string[]): Promise<void> {
  for (const pid of serversIn(directory)) process.kill(pid, 'SIGKILL');
  await Promise.all(processes.map((one) => one.close()));
  const url = await urlOf(start('src/main.ts'));
  const reads = await Promise.all(deliveryIds.map((id, number) => readDelivery(id, agent(url, number))));
  expect(reads.map(({ kind }) => kind)).toEqual(deliveryIds.map(() => 'found'));
  expect(serversIn(directory)).toHaveLength(1);
}

test('Redis is stopped while a worker starts · one server, nothing lost · log and readiness say what is waited for', async () => {
  const url = await urlOf(start('src/main.ts'));
  const ids = await Promise.all([0, 1, 2, 3, 4].map((number) => accepted(url, number)));
  const servers = serversIn(directory);
  process.kill(servers[0] ?? 0, 'SIGSTOP');

  const worker = start('workers/main.ts');
  const workerUrl = await urlOf(worker);
  expect(await worker.line('waiting for redis')).toMatchObject({
    waitingFor: expect.stringMatching(/it lives/) as string,
  });
  expect(await readiness(workerUrl)).toEqual({
    status: 503,
    redis: expect.stringMatching(/waiting for .*it lives/) as string,
  });
  expect(await readiness(url)).toEqual({
    status: 503,
    redis: expect.stringMatching(/waiting for .*it lives/) as string,
  });
  expect(serversIn(directory)).toEqual(servers);

  process.kill(servers[0] ?? 0, 'SIGCONT');
  await until('the worker is ready', async () => (await readiness(workerUrl)).status === 200, 10_000);
  expect(serversIn(directory)).toEqual(servers);
  await killAllAndFind(ids);
}, 90_000);

test('Redis is stopped for so long that connections are given up · nobody starts · one server, nothing lost', async () => {
  const api = start('src/main.ts');
  const url = await urlOf(api);
  const ids = await Promise.all([0, 1, 2, 3, 4].map((number) => accepted(url, number)));
  const servers = serversIn(directory);
  process.kill(servers[0] ?? 0, 'SIGSTOP');
  await until('the connection is given up', () => api.lines.some(({ msg }) => msg === 'waiting for redis'), 40_000);
  expect(serversIn(directory)).toEqual(servers);
  process.kill(servers[0] ?? 0, 'SIGCONT');
  await until('a submission is taken again', async () => (await submitRun(url, 9)).kind === 'accepted', 10_000);
  expect(serversIn(directory)).toEqual(servers);
  await killAllAndFind(ids);
}, 120_000);

test('Redis takes long to come up · the processes live and say so · and work when it has', async () => {
  const go = join(directory, 'go');
  const programs = join(directory, 'programs');
  await mkdir(programs);
  const real = await findProgram('redis-server', searchPath());
  const slow = `#!/bin/sh\nuntil [ -e ${go} ]; do sleep 0.1; done\nexec ${real ?? ''} "$@"\n`;
  await writeFile(join(programs, 'redis-server'), slow, { mode: 0o755 });
  const env = { PATH: `${programs}:${process.env['PATH'] ?? ''}` };
  const [api, worker] = [start('src/main.ts', env), start('workers/main.ts', env)];
  const [url, workerUrl] = await Promise.all([urlOf(api), urlOf(worker)]);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  for (const one of [url, workerUrl]) {
    expect(await readiness(one)).toEqual({
      status: 503,
      redis: expect.stringMatching(/waiting for the embedded redis-server to listen/) as string,
    });
  }
  expect(await submitRun(url, 0)).toMatchObject({ kind: 'refused', httpStatus: 503, code: 'queue-unavailable' });
  await writeFile(go, '');
  await until(
    'both are ready',
    async () => {
      const all = await Promise.all([readiness(url), readiness(workerUrl)]);
      return all.every(({ status }) => status === 200);
    },
    15_000,
  );
  const deliveryId = await accepted(url, 0);
  await until('it is delivered', async () => {
    const read = await readDelivery(deliveryId, agent(url, 0));
    return read.kind === 'found' && read.delivery.status === 'delivered';
  });
}, 90_000);

test('SIGTERM to both at once · they end well · and no server stays', async () => {
  const [api, worker] = [start('src/main.ts'), start('workers/main.ts')];
  await Promise.all([urlOf(api), urlOf(worker)]);
  api.signal('SIGTERM');
  worker.signal('SIGTERM');
  expect(await Promise.all([api.ended, worker.ended])).toEqual([0, 0]);
  await until('no server is left', () => serversIn(directory).length === 0);
});

test('an append-only file that Redis cannot read · ends the start with 78 · and one line that says why', async () => {
  await mkdir(join(directory, 'appendonlydir'));
  await writeFile(join(directory, 'appendonlydir', 'appendonly.aof.manifest'), 'nonsense\n');
  const api = start('src/main.ts');
  expect(await api.ended).toBe(78);
  expect(api.lines.find(({ msg }) => msg === 'cannot start')).toMatchObject({
    reason: expect.stringMatching(/does not come up; its log is .* and says last: /) as string,
  });
  expect(serversIn(directory)).toEqual([]);
});
