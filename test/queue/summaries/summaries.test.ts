// Summaries of a tenant, held to a model: whatever happens to the deliveries, counts are what their records say.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { toSecret } from '../../../src/config/secret.ts';
import { replay, type Delivery, type Status } from '../../../src/domain/delivery.ts';
import { toDeviceRunState } from '../../../src/domain/device-run-state.ts';
import { configurationKey } from '../../../src/domain/hold/hold.ts';
import { DAY_MS, dayOf } from '../../../src/domain/summaries/day.ts';
import { LATENCY_BUCKETS } from '../../../src/domain/summaries/latency.ts';
import {
  acceptedOf,
  addUp,
  ENDS,
  openOf,
  SUMMARISED_PER_DAY,
  type End,
  type Summary,
} from '../../../src/domain/summaries/summary.ts';
import { RUN_STATES } from '../../../src/domain/submission/run-result.ts';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { fc } from '../../support/properties.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant } from '../../support/tenant.ts';

/** The beginning of a day that Redis, whose clock expires summaries, takes for a recent one. */
const T = dayOf(Date.now()) * DAY_MS - 3 * DAY_MS;
const HOUR_MS = 3_600_000;
const CONFIGURATIONS = ['1111', 'ffff'].map((start) => `${start}1111-2222-4333-8444-555555555555`);
const OUTSIDE = [0, 99, 101, 250, 1000, 1999, 60_001, 777_777, 5 * DAY_MS, 30 * DAY_MS];

let redis: TestRedis;
let tenant: Tenant;
let opened = 0;

/** What was accepted, in the order of acceptance; the same run again after a purge is another one. */
type Accepted = {
  id: string;
  at: number;
  configuration: string;
  state: string;
  purged: boolean;
  tookMs: number | null;
};
let accepted: Accepted[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());
afterEach(() => tenant.close());

async function open(): Promise<void> {
  opened += 1;
  accepted = [];
  const payloadKeys = [toSecret(Buffer.alloc(32, 7).toString('base64'))];
  tenant = await openTestTenant(redis, { id: `tenant-${opened}`, payloadKeys, supersede: true });
}

async function accept(run: number, at: number, members: Parameters<typeof aRun>[1] = {}): Promise<void> {
  const result = aRun(run, {
    deviceId: `device-${run % 3}`,
    hardwareConfigurationId: CONFIGURATIONS[run % 2] ?? '',
    completedAt: new Date(T - DAY_MS + run * 60_000).toISOString(),
    ...(run % 4 === 0 ? { exitCode: 3010 } : { state: RUN_STATES[run % RUN_STATES.length] }),
    ...members,
  });
  const answer = await tenant.deliveries.accept(result, at);
  if (answer.kind !== 'accepted') return;
  const { id } = answer.delivery;
  const state = toDeviceRunState(result).configurationState;
  accepted.push({ id, at, configuration: result.hardwareConfigurationId, state, purged: false, tookMs: null });
}

const latestOf = (id: string) => accepted.findLast((one) => one.id === id && !one.purged);
const idAt = (index: number) => accepted[index % Math.max(1, accepted.length)]?.id ?? '';

/** Saves what follows from a delivery twice: the second time it was changed since it was read, so nothing may count. */
async function change(id: string, toNext: (delivery: Delivery) => Delivery | null, tookMs = 0): Promise<void> {
  const stored = await tenant.deliveries.load(id);
  const next = stored && toNext(stored.delivery);
  if (!stored || !next) return;
  const saved = await tenant.deliveries.save(stored, next, { now: next.acceptedAt + tookMs });
  await tenant.deliveries.save(stored, next, { now: next.acceptedAt + tookMs });
  const entry = latestOf(id);
  if (saved.kind === 'saved' && next.status === 'delivered' && entry) entry.tookMs = tookMs;
}

const isOpen = ({ status }: Delivery) => status === 'queued' || status === 'delivering' || status === 'waiting';

const to = (status: Status) => (delivery: Delivery) =>
  isOpen(delivery)
    ? { ...delivery, status, ...(status === 'delivered' && { deliveredAt: T, deviceRunStateId: delivery.id }) }
    : null;

const statuses = async () => {
  const found = await tenant.deliveries.findAll(accepted.map(({ id }) => id));
  return accepted.map(({ purged }, index) => (purged ? 'dead' : (found[index]?.status ?? 'gone')));
};

async function readAll(): Promise<Summary[]> {
  const { names, read } = tenant.summaries;
  return read(await names(dayOf(T) - 1, dayOf(T) + 30));
}

/** The bucket by its bounds, one after the other. */
function bucketOf(tookMs: number): number {
  let bucket = 0;
  while (bucket < LATENCY_BUCKETS - 1 && tookMs >= 100 * 2 ** (bucket / 4)) bucket += 1;
  return bucket;
}

function expected(ended: readonly string[]): Summary[] {
  const summaries = new Map<string, Summary>();
  accepted.forEach(({ at, configuration, state, tookMs }, index) => {
    const name = `${dayOf(at)} ${configuration}`;
    const known = summaries.get(name) ?? {
      tenantId: tenant.id,
      day: dayOf(at),
      hardwareConfigurationId: configuration,
      ...addUp([]),
    };
    summaries.set(name, known);
    known.states[state as keyof Summary['states']] += 1;
    const end = ENDS.find((one) => one === ended[index]);
    if (end) known.ends[end] += 1;
    if (tookMs !== null) known.latency[bucketOf(tookMs)] = (known.latency[bucketOf(tookMs)] ?? 0) + 1;
  });
  return [...summaries.values()];
}

const byName = (summaries: readonly Summary[]) =>
  Object.fromEntries(summaries.map((one) => [`${one.day} ${one.hardwareConfigurationId ?? 'others'}`, one]));

/** A result that supersedes another does so after its answer: what changed meanwhile is looked at again. */
async function expectAgreement(): Promise<void> {
  const before = await statuses();
  const found = await readAll();
  if (JSON.stringify(await statuses()) !== JSON.stringify(before)) return expectAgreement();
  expect(byName(found)).toEqual(byName(expected(before)));
}

const index = fc.nat(40);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constant('accept' as const), fc.nat(11), fc.constantFrom(0, 1, 1, 13, 30, -1)),
  },
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('delivering', 'dead', 'dead', 'waiting' as const), index) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('delivered' as const), index, fc.constantFrom(...OUTSIDE)) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('replay' as const, 'purge' as const), index) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function take(taken: Step, clock: { now: number }): Promise<void> {
  switch (taken[0]) {
    case 'accept':
      clock.now = Math.max(T, clock.now + taken[2] * HOUR_MS);
      return accept(taken[1], clock.now);
    case 'delivered':
      return change(idAt(taken[1]), to('delivered'), taken[2]);
    case 'replay':
      return change(idAt(taken[1]), (delivery) => (delivery.status === 'dead' ? replay(delivery, clock.now) : null));
    case 'purge': {
      const purged = await tenant.deadLetters.purge({ deliveryId: idAt(taken[1]) });
      const entry = latestOf(idAt(taken[1]));
      if (purged === 1 && entry) entry.purged = true;
      return;
    }
    case 'delivering':
    case 'dead':
    case 'waiting':
      return change(idAt(taken[1]), to(taken[0]));
  }
}

test('accepted, tried, delivered, dead, replayed, superseded, purged · summaries say what the records say · day by day', async () => {
  await open();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      tenant.close();
      await open();
      const clock = { now: T };
      for (const taken of steps) await take(taken, clock);
      await expectAgreement();
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('Redis killed while deliveries are accepted and end · summaries agree with the records afterwards · each is whole', async () => {
  await open();
  for (let run = 0; run < 30; run += 1) await accept(run, T + run, { deviceId: `device-${run}` });
  const ids = accepted.map(({ id }) => id);
  const ends: Status[] = ['dead', 'delivered', 'waiting'];
  const underWay = ids.map((id, place) => change(id, to(ends[place % 3] ?? 'dead')).catch(() => undefined));
  await Promise.race(underWay);
  await redis.kill();
  await redis.start();
  await Promise.all(underWay);
  const found = await readAll();
  const all = await statuses();
  const count = (status: string) => all.filter((one) => one === status).length;
  const { ends: ended, states, latency } = addUp(found);
  expect({ ...ended, accepted: acceptedOf({ states }) }).toEqual({
    delivered: count('delivered'),
    dead: count('dead'),
    superseded: 0,
    accepted: 30,
  });
  expect(latency.reduce((total, each) => total + each, 0)).toBe(count('delivered'));
}, 30_000);

test('a batch of one configuration · is counted once each · with its duplicates passed over', async () => {
  await open();
  await Promise.all(Array.from({ length: 60 }, (_, run) => accept(run % 40, T + 5)));
  expect(accepted).toHaveLength(40);
  await expectAgreement();
});

test('what was accepted before there was a summary · counts nowhere when it ends · also on the day it begins', async () => {
  await open();
  await accept(2, T + 1000);
  await accept(4, T + DAY_MS + 1000);
  for (const key of await redis.client.keys(`${tenant.keys.root}:sum:*`)) await redis.client.del(key);
  const [early = '', other = ''] = accepted.map(({ id }) => id);
  accepted = [];
  await accept(6, T + 2000);
  await change(early, to('delivered'));
  await change(other, to('dead'));
  expect(await readAll()).toMatchObject([{ day: dayOf(T), ends: { delivered: 0, dead: 0 } }]);
  await change(accepted[0]?.id ?? '', to('dead'));
  await expectAgreement();
});

test('results whose instants come out of order · count all the same · from the earliest on', async () => {
  await open();
  await accept(2, T + 2000);
  await accept(4, T + 1000);
  for (const { id } of accepted) await change(id, to('dead'));
  await expectAgreement();
});

test('more configurations than a day has summaries for · share one · in which all of them count', async () => {
  await open();
  const guid = (number: number) => `${number.toString(16).padStart(8, '0')}-2222-4333-8444-555555555555`;
  const total = SUMMARISED_PER_DAY + 5;
  for (let number = 0; number < total; number += 1)
    await accept(number, T + number, { hardwareConfigurationId: guid(number), deviceId: `device-${number}` });
  for (const { id } of accepted.slice(-3)) await change(id, to('delivered'), 1000);
  const found = await readAll();
  expect(found).toHaveLength(SUMMARISED_PER_DAY + 1);
  const shared = found.find(({ hardwareConfigurationId }) => hardwareConfigurationId === null);
  if (!shared) throw new Error('nothing is shared');
  expect([acceptedOf(shared), shared.ends.delivered, openOf(shared)]).toEqual([5, 3, 2]);
  expect(acceptedOf(addUp(found))).toBe(total);
});

test('a summary with every counter at its largest · takes less than 2 KB of Redis · with its place in the day’s list', async () => {
  await open();
  await accept(2, T + 1000);
  const key = tenant.keys.summary(dayOf(T), configurationKey(CONFIGURATIONS[0] ?? ''));
  const list = tenant.keys.summarised(dayOf(T));
  const length = await redis.client.strlen(key);
  await redis.client.setrange(key, 4, Buffer.alloc(length - 4, 0xff));
  const usage = async (name: string) => Number(await redis.client.memory('USAGE', name));
  expect((await usage(key)) + (await usage(list))).toBeLessThanOrEqual(2048);
  const keptForMs = Math.floor((T + 401 * DAY_MS - Date.now()) / DAY_MS);
  for (const name of [key, list]) {
    expect(Math.floor((await redis.client.pttl(name)) / DAY_MS)).toBe(keptForMs);
  }
});

test('an instant of acceptance in the distant past · is accepted · and has no summary', async () => {
  await open();
  await accept(2, 1_000_000_000);
  expect(accepted).toHaveLength(1);
  await change(accepted[0]?.id ?? '', to('delivered'));
  expect(await redis.client.keys(`${tenant.keys.root}:sum:*`)).toEqual([]);
});

test('a record without its configuration’s key · ends · and counts nowhere', async () => {
  await open();
  await accept(2, T + 1000);
  const id = accepted[0]?.id ?? '';
  const record = (await redis.client.get(tenant.keys.delivery(id))) ?? '';
  const header = record.split('\n', 1)[0] ?? '';
  const shorter = header.slice(0, header.lastIndexOf(' '));
  await redis.client.set(tenant.keys.delivery(id), shorter + record.slice(header.length));
  await change(id, to('dead'));
  const ends: Record<End, number> = { delivered: 0, dead: 0, superseded: 0 };
  expect(await readAll()).toMatchObject([{ ends }]);
});
