// The index of deliveries, held to a model: whatever happens to the records, lists have what a look at each record finds.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { replay, STATUSES, type Delivery, type Status } from '../../../src/domain/delivery.ts';
import { isListed, newestFirst, type DeliveryFilter } from '../../../src/domain/lists/delivery-list.ts';
import { STATUS_CODES } from '../../../src/queue/lua/constants.ts';
import { toSecret } from '../../../src/config/secret.ts';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { fc } from '../../support/properties.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant } from '../../support/tenant.ts';

const T = Date.UTC(2026, 10, 23, 12);
const HOUR_MS = 3_600_000;
const CONFIGURATIONS = ['1111', '2222'].map((start) => `${start}1111-2222-4333-8444-555555555555`);
const DEVICES = ['device-0', 'device-1', 'device-2'];

let redis: TestRedis;
let tenant: Tenant;
let opened = 0;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());
afterEach(() => tenant.close());

async function open(): Promise<void> {
  opened += 1;
  // Sealed: scripts keep the index without reading what a device said.
  const payloadKeys = [toSecret(Buffer.alloc(32, 7).toString('base64'))];
  tenant = await openTestTenant(redis, { id: `tenant-${opened}`, payloadKeys, supersede: true });
}

const known = new Set<string>();
const idAt = (number: number) => [...known][number % Math.max(1, known.size)] ?? '';

async function accept(device: number, run: number, now: number, minute = run): Promise<void> {
  const members = {
    deviceId: DEVICES[device] ?? '',
    hardwareConfigurationId: CONFIGURATIONS[run % 2] ?? '',
    completedAt: new Date(T - 48 * HOUR_MS + minute * 60_000).toISOString(),
  };
  const accepted = await tenant.deliveries.accept(aRun(run, members), now);
  if (accepted.kind !== 'conflict') known.add(accepted.delivery.id);
}

async function change(id: string, toNext: (delivery: Delivery) => Delivery | null): Promise<void> {
  const stored = await tenant.deliveries.load(id);
  const next = stored && toNext(stored.delivery);
  if (stored && next) await tenant.deliveries.save(stored, next, { now: next.acceptedAt });
}

const isOpen = ({ status }: Delivery) => status === 'queued' || status === 'delivering' || status === 'waiting';

const to = (status: Status) => (delivery: Delivery) =>
  isOpen(delivery)
    ? { ...delivery, status, ...(status === 'delivered' && { deliveredAt: T, deviceRunStateId: delivery.id }) }
    : null;

/** As if all chunks were due again. */
async function sweep(): Promise<void> {
  const due = `${tenant.keys.root}:ix:due`;
  for (const chunk of await redis.client.zrange(due, '0', '-1')) await redis.client.zadd(due, 0, chunk);
  await tenant.deliveries.sweepIndex();
}

/** As an earlier version left it: without an index, and without references to it. */
async function withoutIndex(): Promise<void> {
  for (const key of await redis.client.keys(`${tenant.keys.root}:ix:*`)) await redis.client.del(key);
  for (const field of ['ix:new', 'ix:added', 'ix:last']) await redis.client.hdel(tenant.keys.counts, field);
  for (const id of known) {
    const record = await redis.client.get(tenant.keys.delivery(id));
    if (record === null) continue;
    const before = record.replace(/\.[\da-f]+\.[\da-f]+(?=[ \n])/, '');
    await redis.client.set(tenant.keys.delivery(id), before, 'KEEPTTL');
    if (/^\d+ [qgw] /.test(record))
      await redis.client.hincrby(tenant.keys.counts, 'bytes', before.length - record.length);
  }
}

async function forgetExpired(id: string): Promise<void> {
  const ttl = await redis.client.pttl(tenant.keys.delivery(id));
  if (ttl > 0) await redis.client.del(tenant.keys.delivery(id));
}

async function records(): Promise<Delivery[]> {
  const found = await tenant.deliveries.findAll([...known]);
  return found.filter((delivery) => delivery !== null).toSorted(newestFirst);
}

/** The statuses of each chunk's rows, and where it is listed by status, which must be the same. */
async function expectChunksByStatus(): Promise<void> {
  const root = `${tenant.keys.root}:ix`;
  for (const status of Object.values(STATUS_CODES)) {
    for (const chunk of await redis.client.zrange(`${root}:with:${status}`, '0', '-1')) {
      const text = await redis.client.getBuffer(`${root}:${chunk}`);
      const room = text?.readUInt16BE(12) ?? 0;
      expect(text?.toString('latin1', 14, 14 + room)).toContain(status);
    }
  }
}

async function listAll(filter: DeliveryFilter, pageSize: number): Promise<string[]> {
  const ids: string[] = [];
  let after = null;
  do {
    const page = await tenant.deliveries.list(filter, pageSize, after);
    expect(page.deliveries.length).toBeLessThanOrEqual(pageSize);
    ids.push(...page.deliveries.map(({ id }) => id));
    after = page.next;
  } while (after !== null);
  return ids;
}

const FILTERS: DeliveryFilter[] = [
  ...DEVICES.map((deviceId) => ({ deviceId })),
  ...STATUSES.map((status) => ({ status })),
  { deviceId: 'device-0', status: 'delivered' },
  { deviceId: 'device-1', hardwareConfigurationId: CONFIGURATIONS[0] },
  { status: 'delivered', hardwareConfigurationId: CONFIGURATIONS[1] },
  { status: 'queued', acceptedAfter: T + 60 * HOUR_MS, acceptedBefore: T + 300 * HOUR_MS },
  { deviceId: 'device-2', acceptedBefore: T + 100 * HOUR_MS },
];

/** A result that supersedes another does so after its answer: what changed meanwhile is looked at again. */
async function expectAgreement(pageSize: number): Promise<void> {
  const all = await records();
  const expected = FILTERS.map((filter) => all.filter((delivery) => isListed(delivery, filter)).map(({ id }) => id));
  const listed: string[][] = [];
  for (const filter of FILTERS) listed.push(await listAll(filter, pageSize));
  if (JSON.stringify(await records()) !== JSON.stringify(all)) return expectAgreement(pageSize);
  const byFilter = (lists: string[][]) => FILTERS.map((filter, index) => ({ filter, ids: lists[index] }));
  expect(byFilter(listed)).toEqual(byFilter(expected));
  await expectChunksByStatus();
  for (const { id, runId, deviceId } of all.slice(0, 3)) {
    const found = await tenant.deliveries.search(runId);
    expect(found.deliveries.map((one) => one.id)).toContain(id);
    expect((await tenant.deliveries.search(deviceId)).deliveries.map((one) => one.id)).toContain(id);
  }
}

const number = fc.nat(11);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constant('accept' as const), fc.nat(2), number, fc.constantFrom(0, 1, 1, 30, 50, -40)),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constantFrom('delivering', 'delivered', 'dead', 'dead', 'waiting' as const), number),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('replay' as const, 'purge' as const, 'expire' as const), number) },
  { weight: 1, arbitrary: fc.constantFrom(['sweep'] as const, ['rebuild'] as const, ['lost'] as const) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function take(taken: Step, clock: { now: number }): Promise<void> {
  switch (taken[0]) {
    case 'accept':
      clock.now += taken[3] * HOUR_MS + 7;
      return accept(taken[1], taken[2], clock.now);
    case 'replay':
      return change(idAt(taken[1]), (delivery) => (delivery.status === 'dead' ? replay(delivery, clock.now) : null));
    case 'purge':
      await tenant.deadLetters.purge({ deliveryId: idAt(taken[1]) });
      return;
    case 'expire':
      return forgetExpired(idAt(taken[1]));
    case 'sweep':
      return sweep();
    case 'rebuild':
      await tenant.deliveries.rebuildIndex(() => undefined);
      return;
    case 'lost':
      await withoutIndex();
      await tenant.deliveries.rebuildIndex(() => undefined);
      return;
    case 'delivering':
    case 'delivered':
    case 'dead':
    case 'waiting':
      return change(idAt(taken[1]), to(taken[0]));
  }
}

test('accepted, tried, dead, replayed, purged, superseded, expired, swept, rebuilt · lists have what the records say · page by page', async () => {
  await open();
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 70 }),
      fc.constantFrom(1, 3, 50),
      async (steps, pageSize) => {
        tenant.close();
        await open();
        known.clear();
        const clock = { now: T };
        for (const taken of steps) await take(taken, clock);
        await expectAgreement(pageSize);
        await sweep();
        await expectAgreement(50);
      },
    ),
    { numRuns: 15 },
  );
}, 60_000);

test('Redis killed while deliveries are accepted and end · agrees with the records afterwards · each change is whole', async () => {
  await open();
  known.clear();
  for (let run = 0; run < 40; run += 1) await accept(run % 3, run, T + run);
  const ids = [...known];
  const underWay = [
    ...ids.map((id, index) => change(id, to(index % 3 === 0 ? 'dead' : 'delivered'))),
    ...ids.map((_, run) => accept(run % 3, 40 + run, T + 40 + run)),
  ].map((one) => one.catch(() => undefined));
  await Promise.race(underWay.slice(20));
  await redis.kill();
  await redis.start();
  await Promise.all(underWay);
  for (let run = 40; run < 80; run += 1) await accept(run % 3, run, T + run);
  await expectAgreement(50);
}, 30_000);

test('all that was indexed is gone · nothing is left of the index · once it was swept', async () => {
  await open();
  known.clear();
  const [aDay, longAgo] = [24 * HOUR_MS, 1_000_000_000];
  for (let run = 0; run < 60; run += 1) await accept(run % 3, run, longAgo + run * 2 * aDay);
  await tenant.deliveries.rebuildIndex(() => undefined);
  for (const id of known) await redis.client.del(tenant.keys.delivery(id));
  await sweep();
  for (let swept = 0; swept < 8192; swept += 820) await tenant.deliveries.sweepIndex();
  expect(await redis.client.keys(`${tenant.keys.root}:ix:*`)).toEqual([]);
});
