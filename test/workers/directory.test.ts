// The device directory end to end: the API's verdicts by what a worker reads from the sandbox's directory over HTTPS.
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import type { Directory } from '../../src/queue/directory/directory.ts';
import { openDirectory } from '../../src/queue/directory/directory.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { openWorker, type Worker } from '../../workers/worker.ts';
import { directoryKeyOf } from '../support/directory.ts';
import { trustedTlsDirectory } from '../support/graph.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { openTestTenant } from '../support/tenant.ts';
import { until } from '../support/until.ts';

let redis: TestRedis;
let sandbox: Sandbox;
let worker: Worker;
let api: Directory;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox({ tlsDirectory: trustedTlsDirectory() });
  const env = {
    ...sandbox.environment(),
    ...sandbox.deviceEnvironment(),
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
  };
  const telemetry = createTelemetry(pino({ level: 'silent' }));
  worker = await openWorker(parseConfig(env, 'worker'), { telemetry });
  const tenant = await openTestTenant(redis);
  api = openDirectory(tenant, { requirement: 'managed', maxAgeMs: 86_400_000 }, () => undefined);
  closing.push(api.close, tenant.close, worker.close, () => sandbox.close(), redis.close);
});
afterAll(async () => {
  for (const close of closing) await close();
});

const readiness = async () => {
  const answer = await fetch(`http://127.0.0.1:${worker.port}/readyz`);
  return { http: answer.status, body: await answer.json() };
};

test('a device that joined · is vouched for · with its present key and not with another’s', async () => {
  const [device, other] = [await sandbox.directory.join(), await sandbox.directory.join()];
  expect(await api.verify(device.deviceId, directoryKeyOf(device.certificatePem))).toEqual({ kind: 'good' });
  expect(await api.verify(other.deviceId, directoryKeyOf(device.certificatePem))).toMatchObject({ kind: 'bad' });
  const asked = sandbox.requests().filter(({ path }) => path.startsWith('/v1.0/devices'));
  expect(asked.map(({ status }) => status)).toEqual([200, 200]);
});

test('a device that is unknown, disabled or not managed · is refused · with the reason', async () => {
  const [disabled, unmanaged] = [await sandbox.directory.join(), await sandbox.directory.join({ isManaged: false })];
  const gone = await sandbox.directory.join();
  sandbox.directory.change(disabled.deviceId, { accountEnabled: false });
  sandbox.directory.delete(gone.deviceId);
  const reasons = [];
  for (const { deviceId, certificatePem } of [disabled, unmanaged, gone]) {
    reasons.push(await api.verify(deviceId, directoryKeyOf(certificatePem)));
  }
  expect(reasons).toEqual([
    { kind: 'bad', reason: 'the device is disabled in the directory' },
    { kind: 'bad', reason: 'the device is not managed by Intune' },
    { kind: 'bad', reason: 'the directory has no such device' },
  ]);
});

test('a directory that refuses · holds questions, none lost · and says so until it answers again', async () => {
  const known = await sandbox.directory.join();
  expect(await api.verify(known.deviceId, directoryKeyOf(known.certificatePem))).toEqual({ kind: 'good' });
  sandbox.script('next 2 devices: 403');
  const device = await sandbox.directory.join();
  const key = directoryKeyOf(device.certificatePem);
  expect(await api.verify(device.deviceId, key)).toMatchObject({ kind: 'unknown' });
  await until('a hold', async () => (await api.readState()).hold?.reason === 'refused');
  expect(await readiness()).toMatchObject({
    http: 200,
    body: { status: 'degraded', checks: { directory: { ok: false } } },
  });
  expect(await api.verify(known.deviceId, directoryKeyOf(known.certificatePem))).toEqual({ kind: 'good' });
  await until('the end of the hold', async () => (await api.readState()).hold === null, 15_000);
  await until('an answer', async () => (await api.verify(device.deviceId, key)).kind === 'good');
}, 25_000);
