// Delivered runs after DELIVERED_KEPT_H: of each a few bytes are left, which answer as rightly as all of it did; held to a model.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isOfDevice } from '../../../src/domain/submission/compacted-delivery.ts';
import { identify, replay } from '../../../src/domain/delivery.ts';
import type { RunResult } from '../../../src/domain/submission/run-result.ts';
import { toSecret } from '../../../src/config/secret.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import { conclusionOf, created, rejected } from '../../support/outcomes.ts';
import { passTime } from '../../support/pass-time.ts';
import { fc } from '../../support/properties.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const KEPT_MS = 24 * HOUR_MS;
const WINDOW_MS = 168 * HOUR_MS;
/** Runs are remembered for up to half as long again, a generation of them at a time. */
const LONGEST_MS = WINDOW_MS * 1.5;
/** The time that a test itself takes. */
const TEST_MS = 60_000;
const SETTINGS = { dedupeWindowMs: WINDOW_MS, deliveredKeptMs: KEPT_MS };

let redis: TestRedis;
let queue: OwnTenant;
startFreshRedis((started) => void (redis = started), '--appendonly', 'no');
beforeEach(async () => {
  queue = await openTestTenant(redis, SETTINGS);
});
afterEach(() => queue.close());

const pass = (ms: number) => passTime(redis.client, queue.keys, ms);

const deliver = (run: RunResult, instants = { acceptedAt: 1000, now: 2000 }, tenant = queue) =>
  conclusionOf({ tenant, run, outcome: created(`record-${run.runId}`), instants });

async function openAgain(settings: Parameters<typeof openTestTenant>[1]): Promise<void> {
  await queue.close();
  queue = await openTestTenant(redis, { ...SETTINGS, ...settings });
}

test('a delivered run · is whole for as long as that is asked for · then answers what it has to', async () => {
  const { id, deviceId } = await deliver(aRun(1));
  await pass(KEPT_MS - TEST_MS);
  expect(await queue.deliveries.find(id)).toMatchObject({ status: 'delivered', attempts: [{ outcome: 'created' }] });
  await pass(TEST_MS);
  expect(await queue.deliveries.find(id)).toBeNull();
  expect(await redis.client.exists(queue.keys.record('record-run-1'))).toBe(0);
  const compacted = await queue.deliveries.findCompacted(id);
  expect(compacted).toMatchObject({ id, tenantId: 'default', acceptedAt: 1000, deliveredAt: 2000 });
  expect(compacted && [isOfDevice(compacted, deviceId), isOfDevice(compacted, 'device-2')]).toEqual([true, false]);
  expect(await queue.deliveries.accept(aRun(1), 9000)).toMatchObject({
    kind: 'duplicate',
    ahead: null,
    delivery: { id, runId: 'run-1', status: 'delivered', acceptedAt: 1000, deliveredAt: 2000 },
  });
  expect(await queue.deliveries.accept(aRun(1, { exitCode: 5 }), 9000)).toEqual({ kind: 'conflict' });
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 0, delivered: 1 });
  expect(await queue.deliveries.openBytes()).toBe(0);
});

test('an id that only has the same bytes · is no delivery’s', async () => {
  const { id } = await deliver(aRun(1));
  await pass(KEPT_MS);
  // The last character of an id has bits that are not part of its bytes.
  const same = id.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1));
  for (const other of [same, 'd', 'record-run-1']) expect(await queue.deliveries.findCompacted(other)).toBeNull();
  expect(await queue.deliveries.findCompacted(id)).not.toBeNull();
});

test('all kept for the whole window, or longer · nothing is compacted', async () => {
  await openAgain({ deliveredKeptMs: WINDOW_MS });
  const { id } = await deliver(aRun(1));
  expect(await redis.client.pttl(queue.keys.delivery(id))).toBeGreaterThan(WINDOW_MS - TEST_MS);
  expect(await redis.client.exists(`${queue.keys.root}:m`)).toBe(0);
});

test('a record of an earlier version · keeps its lifetime · and one with a first fingerprint is kept whole', async () => {
  const run = aRun(1);
  const accepted = await queue.deliveries.accept(run, 1000);
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  const key = queue.keys.delivery(accepted.delivery.id);
  const record = (await redis.client.get(key)) ?? '';
  const [, fingerprint = ''] = /^\d+ \w \d+ \d \d+ (\S+)/.exec(record) ?? [];
  await redis.client.set(key, record.replace(fingerprint, 'A'.repeat(22)));
  const stored = await queue.deliveries.load(accepted.delivery.id);
  if (!stored) throw new Error('not stored');
  const delivered = { ...stored.delivery, status: 'delivered' as const, deliveredAt: 2000, deviceRunStateId: 'r' };
  await queue.deliveries.save(stored, delivered, { now: 2000 });
  for (const one of [key, queue.keys.record('r')])
    expect(await redis.client.pttl(one)).toBeGreaterThan(WINDOW_MS - TEST_MS);
});

test('compacted, then under other keys · the same run is known · other content is not, as far as can still be told', async () => {
  const [old, fresh] = [1, 2].map((byte) => toSecret(Buffer.alloc(32, byte).toString('base64')));
  if (!old || !fresh) throw new Error('no keys');
  await openAgain({ payloadKeys: [old] });
  await deliver(aRun(1));
  await pass(KEPT_MS);
  for (const payloadKeys of [[fresh, old], [fresh]]) {
    await openAgain({ payloadKeys });
    expect(await queue.deliveries.accept(aRun(1), 9000)).toMatchObject({ kind: 'duplicate' });
    expect(await queue.deliveries.accept(aRun(1, { output: '' }), 9000)).toEqual({ kind: 'conflict' });
  }
});

test('a claim of a compacted run · still keeps others from its record · and says how that was delivered', async () => {
  const one = await deliver(aRun(1));
  const two = await conclusionOf({
    tenant: queue,
    run: aRun(2),
    outcome: { kind: 'found', deviceRunStateId: 'found', graph: { status: 200, requestId: null } },
    instants: { acceptedAt: 1000, now: 3000 },
  });
  await pass(KEPT_MS);
  expect(await queue.deliveries.unclaimed(['found', 'free', 'record-run-1'], one.id)).toEqual(['free']);
  expect(await queue.deliveries.findOwner('record-run-1')).toMatchObject({ deliveredAt: 2000, isCreator: true });
  const owner = await queue.deliveries.findOwner('found');
  expect(owner).toMatchObject({ kind: 'compacted', deliveredAt: two.deliveredAt, isCreator: false });
  expect(await queue.deliveries.findOwner('free')).toBeNull();
  const third = await queue.deliveries.accept(aRun(3), 4000);
  const stored = third.kind === 'accepted' ? await queue.deliveries.load(third.delivery.id) : null;
  if (!stored) throw new Error('not stored');
  const delivered = { ...stored.delivery, status: 'delivered' as const, deliveredAt: 5000, deviceRunStateId: 'found' };
  expect(await queue.deliveries.save(stored, delivered, { now: 5000 })).toEqual({ kind: 'claimed' });
  const taken = await queue.deliveries.save(stored, delivered, { now: 5000, takeFrom: owner?.token ?? '' });
  expect(taken.kind).toBe('saved');
  expect(await queue.deliveries.findOwner('found')).toMatchObject({ id: stored.delivery.id });
});

test('a newer result that is compacted · still supersedes an older one', async () => {
  await openAgain({ supersede: true });
  const older = aRun('a', { deviceId: 'device', completedAt: '2026-11-22T10:00:00Z' });
  const newer = aRun('b', { deviceId: 'device', completedAt: '2026-11-22T11:00:00Z' });
  const { id } = await deliver(newer, { acceptedAt: Date.UTC(2026, 10, 23), now: Date.UTC(2026, 10, 23) });
  await pass(KEPT_MS);
  const accepted = await queue.deliveries.accept(older, Date.UTC(2026, 10, 24));
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  expect(await queue.deliveries.findNewer(accepted.delivery, older)).toBe(id);
  const superseded = await until('it is superseded', async () => {
    const delivery = await queue.deliveries.find(accepted.delivery.id);
    return delivery?.status === 'superseded' ? delivery : null;
  });
  expect(superseded.supersededBy).toBe(id);
});

test('a compacted run · leaves the lists of deliveries · and its device’s report says that it was delivered', async () => {
  const { id, deviceId } = await deliver(aRun(1), { acceptedAt: Date.now(), now: Date.now() });
  const { hardwareConfigurationId } = aRun(1);
  await pass(KEPT_MS);
  await queue.deliveries.sweepIndex();
  expect(await queue.deliveries.list({ deviceId }, 10, null)).toEqual({ deliveries: [], next: null });
  expect(await queue.deliveries.search(id)).toMatchObject({ deliveries: [], compacted: { id }, complete: true });
  for (const filter of [{ deviceId }, { hardwareConfigurationId }])
    expect((await queue.reports.list(filter, 10, null)).reports).toMatchObject([{ report: { status: 'delivered' } }]);
});

test('many compacted runs · each is found and no other · in buckets that Redis stores compactly and forgets in time', async () => {
  const runs = Array.from({ length: 2000 }, (_, number) => aRun(number));
  for (let first = 0; first < runs.length; first += 100)
    await Promise.all(runs.slice(first, first + 100).map((run) => deliver(run)));
  await pass(KEPT_MS);
  const isKnown = async ({ deviceId, runId }: RunResult) =>
    (await queue.deliveries.findCompacted(identify('default', deviceId, runId))) !== null;
  expect((await Promise.all(runs.map(isKnown))).filter(Boolean)).toHaveLength(2000);
  const others = Array.from({ length: 2000 }, (_, number) => aRun(number + 2000));
  expect((await Promise.all(others.map(isKnown))).filter(Boolean)).toHaveLength(0);
  const records = runs.map(({ runId }) => `record-${runId}`);
  expect(await queue.deliveries.unclaimed([...records, 'free'], 'another')).toEqual(['free']);
  const buckets = await redis.client.keys(`${queue.keys.root}:m:*`);
  const sizes = await Promise.all(buckets.map((bucket) => redis.client.hlen(bucket)));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(4000);
  for (const bucket of buckets) {
    expect(await redis.client.object('ENCODING', bucket)).toBe('listpack');
    expect(await redis.client.pttl(bucket)).toBeLessThan(LONGEST_MS);
  }
  await pass(LONGEST_MS);
  expect(await redis.client.keys(`${queue.keys.root}:m*`)).toEqual([]);
});

test('entries of one moment · are remembered together · for no longer than half the window more', async () => {
  await deliver(aRun(1));
  await pass(WINDOW_MS * 0.4);
  await deliver(aRun(2));
  await pass(WINDOW_MS * 0.4);
  await deliver(aRun(3));
  expect(await redis.client.hlen(`${queue.keys.root}:m`)).toBe(2);
  await pass(WINDOW_MS);
  const known = await Promise.all([1, 2, 3].map((number) => queue.deliveries.accept(aRun(number), 9000)));
  expect(known.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'duplicate']);
  await openAgain({ dedupeWindowMs: 2 * WINDOW_MS });
  await deliver(aRun(4));
  await pass(2 * WINDOW_MS - TEST_MS);
  expect((await queue.deliveries.accept(aRun(4), 9000)).kind).toBe('duplicate');
});

type Step =
  | { kind: 'submit'; run: number; content: number }
  | { kind: 'deliver' | 'die' | 'replay' | 'purge'; run: number }
  | { kind: 'supersede'; run: number; by: number }
  | { kind: 'pass'; hours: number };

const RUNS = 5;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      run: fc.nat(RUNS - 1),
      content: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('deliver', 'deliver', 'deliver', 'die', 'die', 'replay', 'purge'),
      run: fc.nat(RUNS - 1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('supersede' as const), run: fc.nat(RUNS - 1), by: fc.nat(RUNS - 1) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), hours: fc.constantFrom(1, 13, 25, 40, 60, 150) }),
  },
);

/** What the model knows of a run that was accepted. `for good`: superseded by one that was delivered already. */
type Seen = {
  content: number;
  status: 'queued' | 'dead' | 'delivered' | 'superseded' | 'superseded for good';
  acceptedAt: number;
  /** When it was delivered, or superseded for good. */
  endedAt: number;
};

const statusOf = ({ status }: Seen) => (status === 'superseded for good' ? 'superseded' : status);

test('accepted, delivered, dead, replayed, purged, superseded, compacted, sent again as it was and otherwise, forgotten · as the model says', async () => {
  const met = { accepted: 0, whole: 0, compacted: 0, conflict: 0, forgotten: 0, superseded: 0, cameBack: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 60, size: 'max' }), async (steps) => {
      await redis.client.flushall();
      const seen = new Map<number, Seen>();
      let now = Date.UTC(2026, 10, 23, 12);
      const toRun = (run: number, content: number) =>
        aRun(`p${run}`, { deviceId: `device-${run % 2}`, exitCode: content });
      const idOf = (run: number) => identify('default', `device-${run % 2}`, `run-p${run}`);
      const ageOf = ({ endedAt }: Seen) => now - endedAt;

      /** Between the window and half of it more it may be known or not: then it is as if forgotten where it is. */
      async function settleForgotten(run: number): Promise<void> {
        const one = seen.get(run);
        if (!one || one.endedAt === 0 || ageOf(one) < WINDOW_MS) return;
        const isKnown = (await queue.deliveries.findCompacted(idOf(run))) !== null;
        if (ageOf(one) > LONGEST_MS) expect(isKnown).toBe(false);
        if (isKnown) return;
        seen.delete(run);
        met.forgotten += 1;
      }

      async function submit(run: number, content: number): Promise<void> {
        await settleForgotten(run);
        const one = seen.get(run);
        const answer = await queue.deliveries.accept(toRun(run, content), now);
        if (!one) {
          expect(answer.kind).toBe('accepted');
          seen.set(run, { content, status: 'queued', acceptedAt: now, endedAt: 0 });
          met.accepted += 1;
        } else if (one.content !== content) {
          expect(answer).toEqual({ kind: 'conflict' });
          met.conflict += 1;
        } else {
          const { acceptedAt } = one;
          const delivery = { id: idOf(run), status: statusOf(one), acceptedAt };
          expect(answer).toMatchObject({ kind: 'duplicate', delivery });
          met[one.status === 'delivered' && ageOf(one) >= KEPT_MS ? 'compacted' : 'whole'] += 1;
        }
      }

      async function change(kind: 'deliver' | 'die' | 'replay' | 'purge', run: number): Promise<void> {
        const one = seen.get(run);
        const id = idOf(run);
        if (kind === 'purge') {
          expect(await queue.deadLetters.purge({ deliveryId: id })).toBe(one?.status === 'dead' ? 1 : 0);
          if (one?.status === 'dead') seen.delete(run);
          return;
        }
        if (!one || one.status !== (kind === 'replay' ? 'dead' : 'queued')) return;
        const stored = await queue.deliveries.load(id);
        if (!stored) throw new Error('not stored');
        const { delivery } = stored;
        const claimed = { deliveredAt: now, deviceRunStateId: `record-${run}-${now}` };
        const next = {
          deliver: { ...delivery, ...claimed, status: 'delivered' as const },
          die: { ...delivery, status: 'dead' as const },
          replay: replay(delivery, now),
        }[kind];
        expect((await queue.deliveries.save(stored, next, { now })).kind).toBe('saved');
        seen.set(run, { ...one, status: next.status as Seen['status'], endedAt: kind === 'deliver' ? now : 0 });
        if (kind === 'die') returnSuperseded(run % 2);
      }

      /** All runs end in the same instant: of a device that has one die, all that may come back do. */
      function returnSuperseded(device: number): void {
        for (const [run, one] of seen) {
          if (run % 2 !== device || one.status !== 'superseded') continue;
          one.status = 'queued';
          met.cameBack += 1;
        }
      }

      async function replace(run: number, by: number): Promise<void> {
        await settleForgotten(by);
        const [one, newer] = [seen.get(run), seen.get(by)];
        if (run === by || one?.status !== 'queued') return;
        const isSuperseded = newer?.status === 'queued' || newer?.status === 'delivered';
        const kind = await queue.deliveries.replace(idOf(run), idOf(by), now);
        expect(kind).toBe(isSuperseded ? 'saved' : 'stale');
        if (!isSuperseded) return;
        const isForGood = newer.status === 'delivered';
        Object.assign(one, isForGood ? { status: 'superseded for good', endedAt: now } : { status: 'superseded' });
        met.superseded += 1;
      }

      /** All questions about a run, without changing anything. */
      async function expectSound(run: number): Promise<void> {
        await settleForgotten(run);
        const one = seen.get(run);
        const [whole, compacted] = [
          await queue.deliveries.find(idOf(run)),
          await queue.deliveries.findCompacted(idOf(run)),
        ];
        const isWhole = one !== undefined && (one.status !== 'delivered' || ageOf(one) < KEPT_MS);
        expect(whole?.status).toBe(isWhole ? statusOf(one) : undefined);
        if (one?.status !== 'delivered') {
          expect(compacted).toBeNull();
          return;
        }
        const { acceptedAt, endedAt: deliveredAt } = one;
        expect(compacted).toMatchObject({ acceptedAt, deliveredAt });
        expect(compacted && isOfDevice(compacted, `device-${run % 2}`)).toBe(true);
        const record = `record-${run}-${deliveredAt}`;
        expect(await queue.deliveries.unclaimed([record], 'another')).toEqual([]);
        expect(await queue.deliveries.findOwner(record)).toMatchObject(isWhole ? { id: idOf(run) } : { deliveredAt });
      }

      for (const next of steps) {
        now += 1;
        if (next.kind === 'pass') {
          await pass(next.hours * HOUR_MS);
          now += next.hours * HOUR_MS;
        } else if (next.kind === 'submit') await submit(next.run, next.content);
        else if (next.kind === 'supersede') await replace(next.run, next.by);
        else await change(next.kind, next.run);
        for (let run = 0; run < RUNS; run += 1) await expectSound(run);
      }
      const held = Array.from(seen.values(), ({ status }) => status);
      const { queued, dead } = await queue.deliveries.counts();
      expect([queued, dead]).toEqual(['queued', 'dead'].map((status) => held.filter((one) => one === status).length));
      let openBytes = 0;
      for (const [run, { status }] of seen)
        if (status === 'queued' || status === 'superseded')
          openBytes += await redis.client.strlen(queue.keys.delivery(idOf(run)));
      expect(await queue.deliveries.openBytes()).toBe(openBytes);
    }),
    { numRuns: 150 },
  );
  expect(Math.min(...Object.values(met)), JSON.stringify(met)).toBeGreaterThan(5);
}, 240_000);

test('a dead one · is never compacted', async () => {
  const { id } = await conclusionOf({
    tenant: queue,
    run: aRun(1),
    outcome: rejected(404),
    instants: { acceptedAt: 1000, now: 2000 },
  });
  await pass(LONGEST_MS);
  expect([await queue.deliveries.find(id), await queue.deliveries.findCompacted(id)]).toMatchObject([
    { status: 'dead' },
    null,
  ]);
});
