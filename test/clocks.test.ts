// Processes whose wall clocks are wrong, differ and step, with real processes: nothing waits for a clock.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { submit, type DeviceClientOptions } from '../src/device/device-client.ts';
import { createSandbox, type Sandbox } from '../src/sandbox/sandbox.ts';
import { createFakeClock, MISSING_FAKETIME, type FakeClock } from './support/fake-clock.ts';
import { startApi, startProcess, type TestProcess } from './support/process.ts';
import { startTestRedis, type TestRedis } from './support/redis.ts';
import { aRun } from './support/tenant.ts';
import { until } from './support/until.ts';

const groupKey = Buffer.alloc(32, 'clocks');
const operatorToken = 'o'.repeat(32);
const HOUR_S = 3600;
const DAY_S = 86_400;

let redis: TestRedis;
let sandbox: Sandbox;
let clocks: FakeClock[];
let processes: TestProcess[];
let url: string;

beforeEach(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox({ latencyMs: [5, 20] });
  [clocks, processes] = [[], []];
});
afterEach(async () => {
  await Promise.all(processes.map((started) => started.close()));
  await Promise.all(clocks.map((clock) => clock.close()));
  await sandbox.close();
  await redis.close();
});

const environment = () => ({
  ...sandbox.environment(),
  REDIS_URL: redis.url,
  DEVICE_GROUP_KEYS: groupKey.toString('base64'),
  OPERATOR_TOKEN: operatorToken,
  WORKER_PORT: '0',
  HOST: '127.0.0.1',
  UNCERTAIN_LOOK_AFTER_MS: '1500',
  GRAPH_WRITES_PER_20S: '2000',
});

async function startApiAt(aheadS: number): Promise<void> {
  const clock = await createFakeClock(aheadS);
  clocks.push(clock);
  const started = await startApi({ ...environment(), ...clock.env });
  processes.push(started.api);
  ({ url } = started);
}

async function startWorkerAt(aheadS: number): Promise<FakeClock> {
  const clock = await createFakeClock(aheadS);
  clocks.push(clock);
  const worker = startProcess('workers/main.ts', { ...environment(), ...clock.env });
  processes.push(worker);
  await worker.line('working');
  return clock;
}

/** A device whose clock agrees with the API's. */
async function submitRun(number: number, aheadS: number) {
  const agent: DeviceClientOptions = {
    baseUrl: url,
    deviceId: `device-${number}`,
    deviceKey: deriveDeviceKey(groupKey, `device-${number}`).toString('base64'),
    now: () => Date.now() + aheadS * 1000,
  };
  const run = aRun(number, { hardwareConfigurationId: sandbox.configurationIds[0] ?? '' });
  const outcome = await submit(run, agent);
  if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
  return outcome.receipt;
}

const recordOf = (number: number) => () => sandbox.records().some(({ deviceName }) => deviceName === `PC-${number}`);

const answered504 = () => sandbox.requests().filter(({ status }) => status === 504).length;

async function readStatus() {
  const response = await fetch(`${url}/v1/status`, { headers: { authorization: `Bearer ${operatorToken}` } });
  const { tenants } = (await response.json()) as { tenants: { oldestQueuedAgeSeconds: number }[] };
  return tenants[0] ?? { oldestQueuedAgeSeconds: 0 };
}

describe.skipIf(MISSING_FAKETIME)(`processes with clocks of their own (${MISSING_FAKETIME ?? 'libfaketime'})`, () => {
  test.each([
    ['four minutes ahead', 240, 0],
    ['a day ahead', DAY_S, 0],
    ['a day behind', -DAY_S, 0],
    ['right, and the worker’s an hour behind', 0, -HOUR_S],
    ['right, and the worker’s an hour ahead', 0, HOUR_S],
  ])(
    'the API’s clock %s · what it accepts is created at once, and tells its true age meanwhile',
    async (_, api, worker) => {
      await startApiAt(api);
      const { acceptedAt } = await submitRun(1, api);
      expect(Math.abs(Date.parse(acceptedAt) - Date.now())).toBeLessThan(5000);
      await until('its age is told', async () => (await readStatus()).oldestQueuedAgeSeconds > 1);
      expect((await readStatus()).oldestQueuedAgeSeconds).toBeLessThan(60);
      await startWorkerAt(worker);
      await until('it is created', recordOf(1), 10_000);
    },
    60_000,
  );

  test('a worker’s clock that steps back an hour, and forth a day · what waits for its next attempt waits no longer', async () => {
    await startApiAt(0);
    const clock = await startWorkerAt(0);
    await submitRun(1, 0);
    await until('it works', recordOf(1), 10_000);
    for (const [number, aheadS] of [
      [2, -HOUR_S],
      [3, DAY_S],
      [4, -DAY_S],
    ] as const) {
      sandbox.script('next create: 504');
      await submitRun(number, 0);
      await until('its create was not answered', () => answered504() === number - 1, 10_000);
      await clock.set(aheadS);
      await submitRun(number + 10, 0);
      await until('another is created', recordOf(number + 10), 10_000);
      await until('it is created too', recordOf(number), 30_000);
    }
    expect(sandbox.duplicates()).toEqual([]);
  }, 120_000);
});
