// Redis hangs for longer than any lock lives, with real processes: callers hear no at once, and afterwards everything flows by itself.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { readDelivery, submit, type DeviceClientOptions } from '../src/device/device-client.ts';
import { createSandbox, type Sandbox } from '../src/sandbox/sandbox.ts';
import { startApi, startProcess, type TestProcess } from './support/process.ts';
import { startTestRedis, type TestRedis } from './support/redis.ts';
import { aRun } from './support/tenant.ts';
import { until } from './support/until.ts';

/** Longer than a job's lock lives, and than workers wait between two looks for stalled jobs. */
const PAUSE_MS = 25_000;
const groupKey = Buffer.alloc(32, 'outage');

let redis: TestRedis;
let sandbox: Sandbox;
let api: TestProcess;
let worker: TestProcess;
let url: string;

beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox({ latencyMs: [300, 400] });
  const environment = {
    ...sandbox.environment(),
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: groupKey.toString('base64'),
    WORKER_PORT: '0',
    HOST: '127.0.0.1',
    UNCERTAIN_LOOK_AFTER_MS: '500',
    ATTEMPT_TIMEOUT_MS: '3000',
    GRAPH_WRITES_PER_20S: '1000',
  };
  ({ api, url } = await startApi(environment));
  worker = startProcess('workers/main.ts', environment);
  await worker.line('working');
});
afterAll(async () => {
  await Promise.all([api.close(), worker.close()]);
  await sandbox.close();
  await redis.close();
});

const agent = (number: number): DeviceClientOptions => ({
  baseUrl: url,
  deviceId: `device-${number}`,
  deviceKey: deriveDeviceKey(groupKey, `device-${number}`).toString('base64'),
});
const submitRun = (number: number) =>
  submit(aRun(number, { hardwareConfigurationId: sandbox.configurationIds[0] ?? '' }), agent(number));

test(
  'twenty-five seconds without an answer · refuse in time · lose nothing, create nothing twice, and flow again within seconds',
  async () => {
    const receipts = await Promise.all(
      Array.from({ length: 30 }, async (_, number) => {
        const outcome = await submitRun(number);
        return outcome.kind === 'accepted' ? outcome.receipt.deliveryId : '';
      }),
    );
    await until('attempts are in hand', () => (sandbox.stats().byOperation['create'] ?? 0) > 3);
    redis.signal('SIGSTOP');
    const pausedAt = performance.now();
    const refused = await submitRun(100);
    expect(refused).toMatchObject({ kind: 'refused', httpStatus: 503, code: 'queue-unavailable' });
    expect(performance.now() - pausedAt).toBeLessThan(2500);
    await delay(PAUSE_MS - (performance.now() - pausedAt));
    redis.signal('SIGCONT');

    await until('a submission is taken again', async () => (await submitRun(101)).kind !== 'refused', 2500);
    const delivered = async (number: number, deliveryId: string) => {
      const read = await readDelivery(deliveryId, agent(number));
      return read.kind === 'found' && read.delivery.status === 'delivered';
    };
    await until(
      'everything is delivered',
      async () => (await Promise.all(receipts.map((id, number) => delivered(number, id)))).every(Boolean),
      60_000,
    );
    await until('the late one too', () => sandbox.records().some(({ deviceName }) => deviceName === 'PC-101'), 20_000);
    expect(sandbox.duplicates()).toEqual([]);
  },
  PAUSE_MS + 100_000,
);
