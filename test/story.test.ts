// One device, one configuration, the real processes: from POST to Graph, through a double submission, a worker killed in mid-delivery and a restart of everything.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { readDelivery, submit, type DeviceClientOptions, type DeliveryReport } from '../src/device/device-client.ts';
import { createSandbox, type Sandbox } from '../src/sandbox/sandbox.ts';
import { startProcess, type TestProcess } from './support/process.ts';
import { until } from './support/until.ts';

const OPERATOR_TOKEN = 'the-operators-of-this-story-know-it';
const groupKey = Buffer.alloc(48, 'story');
const deviceId = 'laptop-0042';

let sandbox: Sandbox;
let directory: string;
let api: TestProcess;
let worker: TestProcess;
let agent: DeviceClientOptions;

beforeAll(async () => {
  sandbox = await createSandbox();
  directory = await mkdtemp(join(tmpdir(), 'runstate-story-'));
  await startAll();
});
afterAll(async () => {
  await stop(worker);
  await stop(api);
  await sandbox.close();
  await rm(directory, { recursive: true, force: true });
});

const environment = () => ({
  ...sandbox.environment(),
  DATA_DIR: directory,
  DEVICE_GROUP_KEYS: groupKey.toString('base64'),
  OPERATOR_TOKEN,
  HOST: '127.0.0.1',
  PORT: '0',
  WORKER_PORT: '0',
  UNCERTAIN_LOOK_AFTER_MS: '200',
  ATTEMPT_TIMEOUT_MS: '2000',
  HOLD_PROBE_MS: '200',
  GRAPH_WRITES_PER_20S: '1000',
});

async function startAll(): Promise<void> {
  [api, worker] = [startProcess('src/main.ts', environment()), startProcess('workers/main.ts', environment())];
  const { port } = await api.line('listening');
  await worker.line('working');
  const deviceKey = deriveDeviceKey(groupKey, deviceId).toString('base64');
  agent = { baseUrl: `http://127.0.0.1:${Number(port)}`, deviceId, deviceKey };
}

async function stop(process: TestProcess): Promise<number | null> {
  process.signal('SIGTERM');
  return process.ended;
}

const aRun = (runId: string, members: object = {}) => ({
  runId,
  deviceId,
  hardwareConfigurationId: sandbox.configurationIds[0],
  deviceName: 'BER-LT-0042',
  osVersion: '10.0.26100.2314',
  upn: null,
  policyVersion: 4,
  completedAt: '2026-11-23T10:15:30.1234567+01:00',
  exitCode: 3010,
  output: 'cctk --setuppwd=Winter-2026! --SecureBoot=Enabled\nreboot outstanding ✓',
  ...members,
});

async function submitted(run: object): Promise<string> {
  const outcome = await submit(run, agent);
  if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
  return outcome.receipt.deliveryId;
}

async function read(deliveryId: string): Promise<DeliveryReport> {
  const outcome = await readDelivery(deliveryId, agent);
  if (outcome.kind !== 'found') throw new Error(JSON.stringify(outcome));
  return outcome.delivery;
}

const reaches = (deliveryId: string, status: DeliveryReport['status'], withinMs = 10_000) =>
  until(
    `${deliveryId} is ${status}`,
    async () => {
      const delivery = await read(deliveryId);
      return delivery.status === status && delivery;
    },
    withinMs,
  );

async function operate(path: string, body?: object) {
  const response = await fetch(`${agent.baseUrl}${path}`, {
    headers: { Authorization: `Bearer ${OPERATOR_TOKEN}`, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  return (await response.json()) as Record<string, unknown>;
}

test('a run result · goes in signed and comes out as a device run state · once, with everything the device said', async () => {
  const id = await submitted(aRun('run-1'));
  const delivery = await reaches(id, 'delivered');
  expect(delivery.attempts).toMatchObject([{ number: 1, outcome: 'created', graphStatus: 201 }]);
  expect(sandbox.records()).toEqual([
    expect.objectContaining({
      id: delivery.deviceRunStateId,
      configurationId: sandbox.configurationIds[0],
      deviceName: 'BER-LT-0042',
      osVersion: '10.0.26100.2314',
      upn: null,
      internalVersion: 4,
      configurationState: 'pending',
      configurationOutput: 'cctk --setuppwd=[masked] --SecureBoot=Enabled\nreboot outstanding ✓',
      configurationError: null,
    }),
  ]);
  expect(Date.parse(sandbox.records()[0]?.lastStateUpdateDateTime ?? '')).toBe(Date.parse('2026-11-23T09:15:30.123Z'));
});

test('the same run again · is answered with the same receipt · and other content is refused', async () => {
  const again = await submit(aRun('run-1'), agent);
  expect(again).toMatchObject({ kind: 'duplicate', receipt: { status: 'delivered', duplicate: true } });
  expect(await submit(aRun('run-1', { exitCode: 0 }), agent)).toMatchObject({ kind: 'refused', code: 'run-id-reused' });
  expect(sandbox.records()).toHaveLength(1);
});

test('a create whose answer is lost · is found in Graph · and not repeated', async () => {
  sandbox.script('next 1 create: 504 after the write');
  const delivery = await reaches(await submitted(aRun('run-2', { completedAt: '2026-11-23T10:16:30Z' })), 'delivered');
  expect(delivery.attempts.map(({ outcome }) => outcome)).toEqual(['uncertain', 'found']);
  expect(sandbox.records()).toHaveLength(2);
});

test('a worker killed while its create is on its way · leaves nothing lost and nothing twice · another one looks first', async () => {
  sandbox.script('next 1 create: hang after the write');
  const id = await submitted(aRun('run-3', { completedAt: '2026-11-23T10:17:30Z' }));
  await until('the create arrived', () => sandbox.records().length === 3);
  worker.signal('SIGKILL');
  await worker.ended;
  expect((await read(id)).status).toBe('delivering');
  worker = startProcess('workers/main.ts', environment());
  const delivery = await reaches(id, 'delivered', 60_000);
  expect(delivery.attempts.map(({ outcome }) => outcome)).toEqual(['uncertain', 'found']);
  expect(sandbox.stats()).toMatchObject({ records: 3, duplicates: 0 });
}, 70_000);

test('a permission taken away · holds everything and says so · and given back, everything flows by itself', async () => {
  sandbox.set({ permission: 'taken-away' });
  const id = await submitted(aRun('run-4', { completedAt: '2026-11-23T10:18:30Z' }));
  const ready = await until('the hold shows', async () => {
    const answer = (await (await fetch(`${agent.baseUrl}/readyz`)).json()) as {
      status: string;
      checks: { graph: { detail: string } };
    };
    return answer.status === 'degraded' && answer;
  });
  expect(ready.checks.graph.detail).toContain('DeviceManagementConfiguration.ReadWrite.All');
  const { tenants } = (await operate('/v1/status')) as { tenants: { holds: { reason: string }[] }[] };
  expect(tenants[0]?.holds[0]?.reason).toBe('forbidden');
  sandbox.set({ permission: 'granted' });
  const delivery = await reaches(id, 'delivered');
  expect(delivery.attempts.map(({ outcome }) => outcome)).toEqual(['created']);
});

test('a result Graph refuses · becomes a dead letter an operator can read and replay · under the same id', async () => {
  sandbox.script('next 1 create: 400');
  const id = await submitted(aRun('run-5', { completedAt: '2026-11-23T10:19:30Z' }));
  await reaches(id, 'dead');
  const { deadLetters } = (await operate('/v1/dead-letters?code=graph-400')) as {
    deadLetters: { deliveryId: string }[];
  };
  expect(deadLetters).toMatchObject([{ deliveryId: id, lastFailure: { code: 'graph-400' } }]);
  expect(await operate('/v1/dead-letters/replay', { deliveryId: id, dryRun: true })).toEqual({
    matched: 1,
    replayed: 0,
  });
  expect(await operate('/v1/dead-letters/replay', { deliveryId: id })).toEqual({ matched: 1, replayed: 1 });
  const delivery = await reaches(id, 'delivered');
  expect(delivery.attempts.map(({ outcome }) => outcome)).toEqual(['rejected', 'created']);
});

test('everything stopped and started again · what was accepted is delivered · and nothing is forgotten', async () => {
  expect(await stop(worker)).toBe(0);
  const id = await submitted(aRun('run-6', { completedAt: '2026-11-23T10:20:30Z' }));
  expect(await stop(api)).toBe(0);
  await startAll();
  expect((await reaches(id, 'delivered')).deliveryId).toBe(id);
  expect(await submit(aRun('run-1'), agent)).toMatchObject({ kind: 'duplicate' });
  expect(sandbox.stats()).toMatchObject({ records: 6, duplicates: 0 });
});
