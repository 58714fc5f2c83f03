// Measures the index of deliveries and what is known of devices: what they take in Redis, and how long finding takes with many and with few.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseConfig } from '../src/config/config.ts';
import type { Delivery, Status } from '../src/domain/delivery.ts';
import type { DeliveryFilter } from '../src/domain/lists/delivery-list.ts';
import type { DeviceFilter } from '../src/domain/lists/device-list.ts';
import type { RunResult } from '../src/domain/submission/run-result.ts';
import type { Tenant } from '../src/queue/tenant.ts';
import { openOwnTenant } from '../test/support/tenant.ts';

const { values } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '1000000' },
    devices: { type: 'string', default: '100000' },
    configurations: { type: 'string', default: '20' },
    calls: { type: 'string', default: '100' },
  },
});
const [most, devices, configurations, calls] = [
  Number(values.deliveries),
  Number(values.devices),
  Number(values.configurations),
  Number(values.calls),
];

const AT_ONCE = 200;
const FEW = 1000;
const PAGE = 50;
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
const RARE = '99999999-0000-4000-8000-000000000000';
const startAt = Date.now() - WEEK_MS;

const lastFailure = {
  kind: 'rejected',
  code: 'graph-404',
  detail: '404 ResourceNotFound',
  at: startAt,
  graphStatus: 404,
  graphCode: 'ResourceNotFound',
  graphRequestId: randomUUID(),
} as const;

const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
const config = parseConfig({ DATA_DIR: directory, DEVICE_GROUP_KEYS: randomBytes(32).toString('base64') }, 'api');
const tenant = await openOwnTenant(config);
try {
  await tenant.redis.ping();
  await tenant.redis.config('SET', 'appendonly', 'no');
  await fill(0, FEW);
  await measure(FEW);
  await fill(FEW, most);
  await measure(most);
  await weigh(most);
} finally {
  await tenant.close();
  await rm(directory, { recursive: true, force: true });
}

/** Of a hundred 97 are delivered, one is dead, two wait; every thousandth is of a rare configuration. */
async function fill(first: number, end: number): Promise<void> {
  for (let from = first; from < end; from += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, end - from) }, (_, index) => from + index);
    const acceptedAt = startAt + Math.floor((from / most) * WEEK_MS);
    await Promise.all(
      numbers.map(async (number) => {
        const run = aRun(number);
        const accepted = await tenant.deliveries.accept(run, acceptedAt + (number % AT_ONCE));
        if (accepted.kind === 'conflict') throw new Error('a run id was used twice');
        const status = statusOf(number);
        if (status !== 'queued')
          await tenant.deliveries.save({ delivery: accepted.delivery, run, rev: 0 }, ended(accepted.delivery, status), {
            now: acceptedAt,
          });
      }),
    );
  }
}

function statusOf(number: number): Status {
  const share = number % 100;
  return share < 97 ? 'delivered' : share === 97 ? 'dead' : 'queued';
}

function ended(delivery: Delivery, status: Status): Delivery {
  const created = { deliveredAt: delivery.acceptedAt, deviceRunStateId: randomUUID() };
  return { ...delivery, status, ...(status === 'delivered' && created), ...(status === 'dead' && { lastFailure }) };
}

function aRun(number: number): RunResult {
  const name = `BER-LAT-${String(number % devices).padStart(6, '0')}`;
  const configuration = String(number % configurations).padStart(12, '0');
  return {
    runId: `run-${number}`,
    deviceId: name,
    hardwareConfigurationId: number % 1000 === 17 ? RARE : `1d5c8a52-7e0f-4f1b-9a6d-${configuration}`,
    deviceName: name,
    policyVersion: 4,
    completedAt: '2026-11-23T10:00:00.1234567+01:00',
    // Every tenth device fails each time.
    exitCode: number % 10 === 0 ? 1 : 0,
  };
}

async function measure(count: number): Promise<void> {
  say(`With ${count} deliveries of ${Math.min(count, devices)} devices, a page of ${PAGE} takes`);
  const dice = () => Math.floor(Math.random() * count);
  const device = () => ({ deviceId: aRun(dice()).deviceId });
  await time('one device', () => list(device()));
  await time('one device, dead', () => list({ ...device(), status: 'dead' }));
  for (const status of ['delivered', 'dead', 'queued', 'superseded'] as const)
    await time(status, () => list({ status }));
  await time('delivered, one configuration of many', () =>
    list({ status: 'delivered', hardwareConfigurationId: aRun(5).hardwareConfigurationId }),
  );
  await time('dead, a rare configuration', () => list({ status: 'dead', hardwareConfigurationId: RARE }));
  await time('delivered, a configuration nobody has', () =>
    list({ status: 'delivered', hardwareConfigurationId: '88888888-0000-4000-8000-000000000000' }),
  );
  await time('delivered, before some instant', () =>
    list({ status: 'delivered', acceptedBefore: startAt + Math.floor(Math.random() * (count / most) * WEEK_MS) }),
  );
  await time('search for a device', () => tenant.deliveries.search(device().deviceId));
  await time('search for a run', () => tenant.deliveries.search(`run-${dice()}`));
  await time('search for what is not there', () => tenant.deliveries.search('LAPTOP-0042'));
  const hardwareConfigurationId = aRun(5).hardwareConfigurationId;
  const silentSince = startAt + Math.floor((count / most) * WEEK_MS) - (12 * WEEK_MS) / 7 / 24;
  await time('devices, their last run results', () => listDevices({}));
  await time('devices, the last page', () => listDevices({ silentSince: startAt }));
  await time('silent devices', () => listDevices({ silentSince }));
  await time('silent devices, one configuration', () => listDevices({ silentSince, hardwareConfigurationId }));
  await time('failing devices', () => listDevices({ failuresInARow: 2 }));
  await time('failing devices, one configuration', () => listDevices({ failuresInARow: 2, hardwareConfigurationId }));
  await time('one device', () => listDevices(device()));
  const expected = Array.from({ length: 1000 }, () => device().deviceId);
  await time('which of 1,000 never reported', () => tenant.reports.reportedAt(expected));
  await time('status', tenant.readSnapshot);
  const code = lastFailure.code;
  await time('dead letters of a code', () => tenant.deadLetters.list({ code }, PAGE, null));
  await time('how many a replay would take', () => tenant.deadLetters.count({ filter: { code } }));
  await time('summaries of 30 days', async () => {
    const lastDay = Math.floor(Date.now() / DAY_MS);
    return tenant.summaries.read(await tenant.summaries.names(lastDay - 29, lastDay));
  });
}

function listDevices(filter: DeviceFilter) {
  return tenant.reports.list(filter, PAGE, null);
}

function list(filter: DeliveryFilter) {
  return tenant.deliveries.list(filter, PAGE, null);
}

async function time(what: string, act: () => Promise<unknown>): Promise<void> {
  const tookMs: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    const startedAt = performance.now();
    await act();
    tookMs.push(performance.now() - startedAt);
  }
  tookMs.sort((a, b) => a - b);
  const within = (share: number) => (tookMs[Math.ceil(calls * share) - 1] ?? 0).toFixed(1).padStart(7);
  say(`  ${what.padEnd(40)} ${within(0.5)} ms (median) ${within(0.99)} ms (99 %)`);
}

/** What Redis gets back when keys that begin like this are removed. */
async function freedBy(name: string): Promise<number> {
  const { redis, keys } = tenant;
  const before = await usedMemory(tenant);
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'MATCH', `${keys.root}:${name}:*`, 'COUNT', 1000);
    cursor = next;
    if (found.length > 0) await redis.del(found);
  } while (cursor !== '0');
  return before - (await usedMemory(tenant));
}

/** What Redis gets back without devices and without the index, and the reference to its chunk in each record. */
async function weigh(count: number): Promise<void> {
  const { redis, keys } = tenant;
  const ofDevices = (await freedBy('dv')) / Math.min(count, devices);
  say(`What is known of devices takes ${ofDevices.toFixed(0)} bytes a device.`);
  const ofIndex = await freedBy('ix');
  const [first] = (await tenant.deliveries.list({ status: 'dead' }, 1, null)).deliveries;
  if (first) throw new Error('the index was not removed');
  const references = (await redis.hget(keys.counts, 'ix:last'))?.length ?? 0;
  const bytes = ofIndex / count;
  say(`The index takes ${bytes.toFixed(1)} bytes a delivery, and ${references + 1} in its record.`);
}

async function usedMemory({ redis }: Tenant): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
