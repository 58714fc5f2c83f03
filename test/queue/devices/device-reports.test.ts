// What devices reported last, held to a model: lists have what the accepted run results say, whatever became of them.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { toSecret } from '../../../src/config/secret.ts';
import {
  countFailures,
  isListedReport,
  type DeviceFilter,
  type DevicePosition,
  type DeviceReport,
} from '../../../src/domain/lists/device-list.ts';
import { RUN_STATES, type RunState } from '../../../src/domain/submission/run-result.ts';
import { fc } from '../../support/properties.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../../support/tenant.ts';

const T = Date.UTC(2026, 10, 23, 12);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CONFIGURATIONS = ['1111', '2222', '3333'].map((start) => `${start}1111-2222-4333-8444-5555555555af`);
const key = (byte: number) => toSecret(Buffer.alloc(32, byte).toString('base64'));

let redis: TestRedis;
let tenant: OwnTenant;
let opened = 0;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());
beforeEach(async () => {
  opened += 1;
  tenant = await open();
});
afterEach(() => tenant.close());

const open = (payloadKeys = [key(7)]) => openTestTenant(redis, { id: `tenant-${opened}`, payloadKeys });

type Reported = { device: number; configuration: number; state: RunState; run: number };

async function report({ device, configuration, state, run }: Reported, now: number): Promise<string | null> {
  const members = {
    deviceId: `device-${device}`,
    deviceName: `PC-${device}`,
    hardwareConfigurationId: CONFIGURATIONS[configuration] ?? '',
    state,
  };
  const accepted = await tenant.deliveries.accept(aRun(run, members), now);
  return accepted.kind === 'accepted' ? accepted.delivery.id : null;
}

async function listAll(filter: DeviceFilter, pageSize: number): Promise<DeviceReport[]> {
  const listed: DeviceReport[] = [];
  let after: DevicePosition | null = null;
  do {
    const page = await tenant.reports.list(filter, pageSize, after);
    expect(page.reports.length).toBeLessThanOrEqual(pageSize);
    listed.push(...page.reports.map((one) => one.report));
    after = page.next;
  } while (after !== null);
  return listed;
}

const sorted = (reports: readonly DeviceReport[]) =>
  reports.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/** The last report of each device and configuration. */
type Model = Map<string, DeviceReport>;

function note(model: Model, { device, configuration, state }: Reported, deliveryId: string, now: number): void {
  const known = model.get(`${device} ${configuration}`);
  model.set(`${device} ${configuration}`, {
    tenantId: tenant.id,
    deviceId: `device-${device}`,
    deviceName: `PC-${device}`,
    hardwareConfigurationId: CONFIGURATIONS[configuration] ?? '',
    reportedAt: now,
    state,
    failuresInARow: countFailures(state, known?.failuresInARow ?? 0),
    deliveryId,
    status: 'queued',
  });
}

function newestOfEach(reports: Iterable<DeviceReport>): DeviceReport[] {
  const newest = new Map<string, DeviceReport>();
  for (const one of reports) {
    const other = newest.get(one.deviceId);
    if (!other || other.reportedAt < one.reportedAt) newest.set(one.deviceId, one);
  }
  return [...newest.values()];
}

async function expectAgreement(model: Model, now: number, pageSize: number): Promise<void> {
  const all = [...model.values()];
  const silent = { silentSince: now - 5 * HOUR_MS };
  for (const filter of [{}, silent]) {
    const listed = await listAll(filter, pageSize);
    expect(sorted(listed)).toEqual(sorted(newestOfEach(all).filter((one) => isListedReport(one, filter))));
    expect(listed.map((one) => -one.reportedAt)).toEqual(
      listed.map((one) => -one.reportedAt).toSorted((a, b) => a - b),
    );
  }
  const [hardwareConfigurationId] = CONFIGURATIONS;
  const filters: DeviceFilter[] = [
    { hardwareConfigurationId },
    { hardwareConfigurationId, ...silent },
    { failuresInARow: 2 },
    { failuresInARow: 3, hardwareConfigurationId },
    { failuresInARow: 2, ...silent },
    { deviceId: 'device-1' },
    { deviceId: 'device-1', hardwareConfigurationId },
  ];
  for (const filter of filters)
    expect(sorted(await listAll(filter, pageSize))).toEqual(sorted(all.filter((one) => isListedReport(one, filter))));
}

const step = fc.record({
  device: fc.nat(5),
  configuration: fc.nat(2),
  state: fc.constantFrom<RunState>(...RUN_STATES, 'fail', 'fail', 'scriptError'),
  run: fc.nat(60),
  hours: fc.constantFrom(0, 0, 1, 3),
});

test('run results of several states, some twice · each list has the last of each device · page by page, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 80 }),
      fc.constantFrom(1, 2, 50),
      async (steps, pageSize) => {
        await tenant.close();
        opened += 1;
        tenant = await open();
        const model: Model = new Map();
        let now = T;
        for (const { hours, ...reported } of steps) {
          now += hours * HOUR_MS + 1;
          const deliveryId = await report(reported, now);
          if (deliveryId !== null) note(model, reported, deliveryId, now);
        }
        await expectAgreement(model, now, pageSize);
      },
    ),
    { numRuns: 15 },
  );
}, 60_000);

test('many devices with one instant and one number of failures · pages go on where they ended · each once', async () => {
  const steps = Array.from({ length: 60 }, (_, device) => device);
  for (const run of [1, 2])
    await Promise.all(steps.map((device) => report({ device, configuration: 0, state: 'fail', run }, T + run)));
  for (const filter of [{}, { failuresInARow: 2 }, { hardwareConfigurationId: CONFIGURATIONS[0] }]) {
    const ids = (await listAll(filter, 7)).map(({ deviceId }) => deviceId);
    expect(new Set(ids).size).toBe(60);
    expect(ids).toHaveLength(60);
  }
});

test('a delivery that ended and is gone · the device’s report stays · with its status while there is one', async () => {
  const id = await report({ device: 1, configuration: 0, state: 'fail', run: 1 }, T);
  const status = async () => (await listAll({}, 50)).map((one) => one.status);
  const stored = await tenant.deliveries.load(id ?? '');
  if (!stored) throw new Error('nothing was stored');
  await tenant.deliveries.save(stored, { ...stored.delivery, status: 'dead' }, { now: T });
  expect(await status()).toEqual(['dead']);
  await tenant.deadLetters.purge({ deliveryId: id ?? '' });
  expect(await status()).toEqual([null]);
});

test('a device that reports for very many configurations · only the latest sixteen are kept · and no list has others', async () => {
  const configuration = (n: number) => `${String(n).padStart(8, '0')}-2222-4333-8444-555555555555`;
  for (let n = 0; n < 20; n += 1)
    for (const run of [2 * n, 2 * n + 1]) {
      const members = { deviceId: 'device-1', hardwareConfigurationId: configuration(n), state: 'fail' as const };
      await tenant.deliveries.accept(aRun(run, members), T + run);
    }
  const listed = await listAll({ deviceId: 'device-1' }, 50);
  const kept = Array.from({ length: 16 }, (_, n) => configuration(19 - n));
  expect(listed.map((one) => one.hardwareConfigurationId)).toEqual(kept);
  expect(await listAll({ failuresInARow: 2 }, 50)).toHaveLength(16);
  expect(await listAll({ hardwareConfigurationId: configuration(3) }, 50)).toEqual([]);
});

test('silent for longer than 400 days · forgotten · and nothing is left of it', async () => {
  for (const run of [1, 2]) await report({ device: 1, configuration: 0, state: 'fail', run }, T);
  await report({ device: 2, configuration: 0, state: 'success', run: 3 }, T + DAY_MS);
  await tenant.reports.sweep(T + 400 * DAY_MS + 1);
  expect((await listAll({}, 50)).map(({ deviceId }) => deviceId)).toEqual(['device-2']);
  await tenant.reports.sweep(T + 500 * DAY_MS);
  expect(await redis.client.keys(`${tenant.keys.root}:dv:*`)).toEqual([]);
});

test('which of these reported · each when it did last · null for those that never did', async () => {
  await report({ device: 1, configuration: 0, state: 'success', run: 1 }, T);
  await report({ device: 1, configuration: 1, state: 'success', run: 2 }, T + 5);
  const ids = ['device-9', 'device-1'];
  expect(await tenant.reports.reportedAt(ids)).toEqual([null, T + 5]);
  expect(await tenant.reports.reportedAt(ids, CONFIGURATIONS[0])).toEqual([null, T]);
  expect(await tenant.reports.reportedAt(ids, CONFIGURATIONS[2])).toEqual([null, null]);
});

test('names sealed with a key that is gone · passed over · the others are listed', async () => {
  for (const device of [1, 2]) await report({ device, configuration: 0, state: 'success', run: device }, T + device);
  await tenant.close();
  tenant = await open([key(8)]);
  await report({ device: 3, configuration: 0, state: 'success', run: 3 }, T + 3);
  await report({ device: 1, configuration: 1, state: 'success', run: 4 }, T + 4);
  expect((await listAll({}, 1)).map(({ deviceId }) => deviceId)).toEqual(['device-1', 'device-3']);
  const stored = await redis.client.hvals(`${tenant.keys.root}:dv:reports`);
  expect(stored.join('\n')).not.toMatch(/device-|PC-/);
});

test('names sealed with an old key, or with none · sealed again in a sweep · so that the old key can go', async () => {
  await tenant.close();
  tenant = await open([]);
  await report({ device: 1, configuration: 0, state: 'success', run: 1 }, T + 1);
  await tenant.close();
  tenant = await open([key(7)]);
  await Promise.all(
    Array.from({ length: 600 }, (_, n) =>
      report({ device: n + 2, configuration: n % 2, state: 'fail', run: n + 2 }, T + n + 2),
    ),
  );
  await tenant.close();
  tenant = await open([key(8), key(7)]);
  const before = await listAll({}, 250);
  await tenant.reports.sweep(T + DAY_MS);
  await tenant.close();
  tenant = await open([key(8)]);
  expect(await listAll({}, 250)).toEqual(before);
  expect(before).toHaveLength(601);
  const text = async () => JSON.stringify(await redis.client.hgetall(`${tenant.keys.root}:dv:reports`));
  const sealed = await text();
  await tenant.reports.sweep(T + DAY_MS);
  expect(await text()).toBe(sealed);
});

test('a retired device · is in no list, and nothing is left of it · until it reports again', async () => {
  for (const run of [1, 2]) await report({ device: 1, configuration: 0, state: 'fail', run }, T);
  expect(await tenant.reports.retire('device-1')).toBe(true);
  expect(await tenant.reports.retire('device-1')).toBe(false);
  expect(await redis.client.keys(`${tenant.keys.root}:dv:*`)).toEqual([]);
  await report({ device: 1, configuration: 0, state: 'fail', run: 3 }, T + 5);
  expect(await listAll({}, 50)).toMatchObject([{ deviceId: 'device-1', failuresInARow: 1, reportedAt: T + 5 }]);
});

test('deliveries of an earlier version · noted when the index is rebuilt · without what is no longer known', async () => {
  const ids = [];
  for (const run of [1, 2, 3]) ids.push(await report({ device: 1, configuration: 0, state: 'fail', run }, T + run));
  const last = await tenant.deliveries.load(ids[2] ?? '');
  if (!last) throw new Error('nothing was stored');
  await tenant.deliveries.save(last, { ...last.delivery, status: 'delivered', deviceRunStateId: 'r' }, { now: T });
  const before = await listAll({ deviceId: 'device-1' }, 50);
  for (const name of await redis.client.keys(`${tenant.keys.root}:dv:*`)) await redis.client.del(name);
  expect(await tenant.deliveries.rebuildIndex(() => undefined)).toEqual({ records: 3, added: 0, reports: 3 });
  expect(await listAll({ deviceId: 'device-1' }, 50)).toEqual([
    { ...before[0], deviceName: null, state: null, failuresInARow: 2 },
  ]);
  expect(await tenant.deliveries.rebuildIndex(() => undefined)).toMatchObject({ reports: 0 });
});

test('a device that reported before the index was rebuilt · keeps its place and its name · older reports come behind it', async () => {
  for (const run of [1, 2]) await report({ device: 1, configuration: 0, state: 'fail', run }, T + run);
  for (const name of await redis.client.keys(`${tenant.keys.root}:dv:*`)) await redis.client.del(name);
  await report({ device: 1, configuration: 1, state: 'success', run: 3 }, T + HOUR_MS);
  const [latest] = await listAll({}, 50);
  expect(await tenant.deliveries.rebuildIndex(() => undefined)).toMatchObject({ reports: 2 });
  expect(await listAll({}, 50)).toEqual([latest]);
  expect(await listAll({ deviceId: 'device-1' }, 50)).toMatchObject([
    { state: 'success', reportedAt: T + HOUR_MS },
    { state: 'fail', reportedAt: T + 2, failuresInARow: 2 },
  ]);
  expect(await tenant.reports.reportedAt(['device-1'])).toEqual([T + HOUR_MS]);
  expect(await tenant.reports.reportedAt(['device-1'], CONFIGURATIONS[0])).toEqual([T + 2]);
});
