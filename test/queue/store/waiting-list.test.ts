// The line: few have jobs, the order is by worth and age, nobody starves, older results give way, forecasts count.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begin, type Delivery } from '../../../src/domain/delivery.ts';
import { conclude } from '../../support/conclude.ts';
import type { RunResult } from '../../../src/domain/submission/run-result.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, POLICY, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';
import { jobKey, takeJob, waitingJobs, WAITING_JOBS } from '../../support/jobs.ts';

let redis: TestRedis;
let queue: OwnTenant;

startFreshRedis((started) => void (redis = started));
afterEach(() => queue.close());

/** Ten are taken ahead of time at this pace. */
const SLOW = { writesPer20s: 100 };
const AHEAD = 10;

async function accept(run: RunResult, now: number) {
  const accepted = await queue.deliveries.accept(run, now);
  if (accepted.kind === 'conflict') throw new Error('conflict');
  return accepted;
}

/** Takes the next job as a worker would, creates its record, and lets the line move on. @returns its run id */
async function createNext(): Promise<string | null> {
  const id = await takeJob(redis.client);
  if (id === null) return null;
  const stored = await queue.deliveries.load(id);
  if (!stored || stored.delivery.status === 'superseded') return createNext();
  const announced = await queue.deliveries.save(stored, begin(stored.delivery, 5), { now: 5 });
  if (announced.kind !== 'saved') throw new Error(announced.kind);
  const outcome = { kind: 'created', deviceRunStateId: `r-${id}`, graph: { status: 201, requestId: null } } as const;
  const { delivery } = conclude({
    delivery: announced.stored.delivery,
    outcome,
    circumstances: { now: 6, random: 0, held: false },
    policy: POLICY,
  });
  expect((await queue.deliveries.save(announced.stored, delivery, { now: 6 })).kind).toBe('saved');
  await queue.deliveries.promote();
  return delivery.runId;
}

async function createAll(): Promise<string[]> {
  const created: string[] = [];
  for (let next = await createNext(); next !== null; next = await createNext()) created.push(next);
  return created;
}

const numbers = (runIds: string[]) => runIds.map((runId) => Number(runId.replace('run-', '')));

describe('first come first served', () => {
  beforeEach(async () => {
    queue = await openTestTenant(redis, SLOW);
  });

  test('a backlog · has few jobs · and is created in the order it came', async () => {
    for (let number = 0; number < 50; number += 1) await accept(aRun(number), 1000 + number);
    expect(await queue.jobs.countWaiting()).toBe(AHEAD);
    expect(numbers(await createAll())).toEqual(Array.from({ length: 50 }, (_, number) => number));
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 0, delivering: 0, delivered: 50 });
    expect(await queue.deliveries.openBytes()).toBe(0);
  });

  test('what came together · is accepted in one go · each with its own answer', async () => {
    const runs = [aRun(1), aRun(2), aRun(1), aRun(2, { exitCode: 9 }), aRun(3)];
    const answers = await Promise.all(runs.map((run, index) => queue.deliveries.accept(run, 100 + index)));
    expect(answers.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'duplicate', 'conflict', 'accepted']);
    expect(answers[2]).toMatchObject({ delivery: { acceptedAt: 100 } });
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 3 });
  });

  test('a waiting delivery · knows how many go before it · also when asked later', async () => {
    const ahead: (number | null)[] = [];
    for (let number = 0; number < 30; number += 1) ahead.push((await accept(aRun(number), 1000 + number)).ahead);
    expect(ahead).toEqual(Array.from({ length: 30 }, (_, number) => number));
    for (let created = 0; created < 15; created += 1) await createNext();
    expect(await accept(aRun(29), 9999)).toMatchObject({ kind: 'duplicate', ahead: 14 });
    expect(await accept(aRun(0), 9999)).toMatchObject({ kind: 'duplicate', ahead: null });
  });

  test('one under way or put off · leaves room for the next in line · since it does not wait for a turn', async () => {
    for (let number = 0; number < 30; number += 1) await accept(aRun(number), 1000 + number);
    expect((await queue.deliveries.promote()).count).toBe(0);
    const first = (await waitingJobs(redis.client)).at(-1);
    const stored = await queue.deliveries.load(first ?? '');
    if (!stored) throw new Error('not stored');
    expect((await queue.deliveries.save(stored, begin(stored.delivery, 5), { now: 5 })).kind).toBe('saved');
    expect((await queue.deliveries.promote()).count).toBe(1);
    expect(await queue.jobs.countWaiting()).toBe(AHEAD + 1);
  });

  test('records that somebody removed · are forgotten when their turn comes · and the list moves on', async () => {
    for (let number = 0; number < 15; number += 1) await accept(aRun(number), 1000 + number);
    const promoted = await redis.client.zrange(queue.keys.promoted, '0', '-1');
    await redis.client.del([...promoted.map((id) => queue.keys.delivery(id)), WAITING_JOBS]);
    expect((await queue.deliveries.promote()).count).toBe(0);
    await Promise.all(promoted.map((id) => queue.deliveries.forget(id)));
    expect((await queue.deliveries.promote()).count).toBe(5);
  });

  test('thousands that ended in line · are passed over a few at a time · so that no script takes long', async () => {
    for (let number = 0; number < AHEAD + 1; number += 1) await accept(aRun(number), 1000 + number);
    const [, , line] = queue.keys.waitingLists;
    await redis.client.lpush(line ?? '', ...Array.from({ length: 2500 }, (_, number) => `dgone${number}`));
    await createNext();
    expect((await queue.deliveries.promote()).count).toBe(0);
    expect(await redis.client.llen(line ?? '')).toBeLessThan(1000);
    expect((await queue.deliveries.promote()).count).toBe(1);
  });

  test('the oldest that has not ended · is known · in line or in work', async () => {
    for (let number = 0; number < 12; number += 1) await accept(aRun(number), 1000 + number);
    expect((await queue.readSnapshot()).oldestOpen.at).toBe(1000);
    for (let created = 0; created < 11; created += 1) await createNext();
    expect((await queue.readSnapshot()).oldestOpen.at).toBe(1011);
  });

  test('a dead letter replayed into a backlog · goes to its end · and is created', async () => {
    const { delivery } = await accept(aRun(0), 1);
    const stored = await queue.deliveries.load(delivery.id);
    if (!stored) throw new Error('not stored');
    await redis.client.del(WAITING_JOBS, jobKey(delivery.id));
    expect((await queue.deliveries.save(stored, { ...delivery, status: 'dead' }, { now: 2 })).kind).toBe('saved');
    for (let number = 1; number < 20; number += 1) await accept(aRun(number), 1000 + number);
    expect(await queue.deadLetters.replay({ filter: {} }, 3)).toBe(1);
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 20, dead: 0 });
    expect(numbers(await createAll())).toEqual([...Array.from({ length: 19 }, (_, index) => index + 1), 0]);
  });
});

describe('failures first', () => {
  beforeEach(async () => {
    queue = await openTestTenant(redis, { ...SLOW, priority: 'failures-first' });
  });

  const success = (number: number) => aRun(number);
  const failure = (number: number) => aRun(number, { exitCode: 1 });

  test('a backlog · goes failures, pending, successes, oldest first · but for the eighth, the oldest of all', async () => {
    for (let number = 0; number < AHEAD; number += 1) await accept(success(number), number);
    for (let number = 100; number < 110; number += 1) await accept(success(number), number);
    for (let number = 200; number < 205; number += 1) await accept(aRun(number, { state: 'pending' }), number);
    for (let number = 300; number < 312; number += 1) await accept(failure(number), number);
    const created = numbers(await createAll()).slice(AHEAD);
    expect(created.filter((number) => number >= 300)).toEqual(Array.from({ length: 12 }, (_, index) => 300 + index));
    const passedOver = created.slice(0, 14).filter((number) => number < 200);
    expect(passedOver).toEqual([100, 101]);
    expect(created.slice(14, 20).filter((number) => number >= 200)).toEqual([200, 201, 202, 203, 204]);
    expect(created.slice(-8)).toEqual(Array.from({ length: 8 }, (_, index) => 102 + index).slice(-8));
  });

  test('failures that never end · let every eighth success through · so none starves', async () => {
    for (let number = 0; number < 20; number += 1) await accept(success(number), number);
    let next = 1000;
    const created: number[] = [];
    while (created.filter((number) => number < 1000).length < 20 && created.length < 200) {
      while ((await queue.deliveries.counts()).queued < 40) await accept(failure(next), next++);
      created.push(...numbers([(await createNext()) ?? '']));
    }
    expect(created.filter((number) => number < 1000)).toEqual(Array.from({ length: 20 }, (_, number) => number));
    expect(created.filter((number) => number >= 1000).length).toBeGreaterThan(50);
  });

  test('a waiting delivery · counts only those that go before it', async () => {
    for (let number = 0; number < 30; number += 1) await accept(success(number), number);
    expect((await accept(failure(300), 300)).ahead).toBe(AHEAD);
    expect((await accept(failure(301), 301)).ahead).toBe(AHEAD + 1);
    expect((await accept(success(31), 31)).ahead).toBe(32);
  });
});

describe('superseding', () => {
  beforeEach(async () => {
    queue = await openTestTenant(redis, { ...SLOW, supersede: true });
  });

  /** When they arrive: none of them was completed long after that. */
  const T = Date.UTC(2026, 10, 23, 11);

  const run = (number: number, minute: number, deviceId = 'device') =>
    aRun(number, { deviceId, completedAt: `2026-11-23T10:${String(minute).padStart(2, '0')}:00Z` });
  const ended = (id: string) =>
    until('it is superseded', async () => {
      const delivery = await queue.deliveries.find(id);
      return delivery?.status === 'superseded' ? delivery : null;
    });

  test.each<[string, number[]]>([
    ['in order', [1, 2, 3]],
    ['in reverse', [3, 2, 1]],
    ['mixed', [2, 3, 1]],
  ])('results of one device that arrive %s · leave the newest · and point to a newer one', async (_, minutes) => {
    const accepted: Delivery[] = [];
    for (const minute of minutes) accepted.push((await accept(run(minute, minute), T)).delivery);
    const byMinute = new Map(accepted.map((delivery, index) => [minutes[index], delivery.id]));
    const [first, second] = [await ended(byMinute.get(1) ?? ''), await ended(byMinute.get(2) ?? '')];
    expect([byMinute.get(2), byMinute.get(3)]).toContain(first.supersededBy);
    expect(second.supersededBy).toBe(byMinute.get(3));
    expect(numbers(await createAll())).toEqual([3]);
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 0, superseded: 2, delivered: 1 });
  });

  test('results of other devices, of other configurations and of the same instant · are all created', async () => {
    await accept(run(1, 1), T + 1);
    await accept(run(2, 2, 'other'), T + 1);
    await accept({ ...run(3, 3), hardwareConfigurationId: '99999999-2222-3333-4444-555555555555' }, T + 1);
    await accept(run(4, 1), T + 1);
    expect(numbers(await createAll()).toSorted()).toEqual([1, 2, 3, 4]);
  });

  test('an older one under way, or perhaps in Graph already · is not superseded', async () => {
    const { delivery } = await accept(run(1, 1), T + 1);
    const stored = await queue.deliveries.load(delivery.id);
    if (!stored) throw new Error('not stored');
    const announced = await queue.deliveries.save(stored, begin(delivery, 5), { now: 5 });
    if (announced.kind !== 'saved') throw new Error(announced.kind);
    const newer = await accept(run(2, 2), T + 2);
    expect(await queue.deliveries.replace(delivery.id, newer.delivery.id, 3)).toBe('stale');
    const unsure = { ...announced.stored.delivery, status: 'waiting' as const, intent: null };
    const uncertain = { ...unsure, uncertainty: { since: 1, lookups: 0 } };
    expect((await queue.deliveries.save(announced.stored, uncertain, { now: 6 })).kind).toBe('saved');
    expect(await queue.deliveries.replace(delivery.id, newer.delivery.id, 7)).toBe('stale');
  });

  test('one that comes late, when the newer one was created · is superseded · as long as that is remembered', async () => {
    const newer = await accept(run(2, 2), T + 1);
    expect(numbers(await createAll())).toEqual([2]);
    const { delivery } = await accept(run(1, 1), T + 2);
    expect(await ended(delivery.id)).toMatchObject({ supersededBy: newer.delivery.id });
    const [key] = await redis.client.keys(`${queue.keys.root}:c:*`);
    expect(await redis.client.pttl(key ?? '')).toBeGreaterThan(3_500_000);
  });

  test('a newer one that is dead · stands for nothing · until it is replayed', async () => {
    const newer = await accept(run(3, 3), T + 1);
    const stored = await queue.deliveries.load(newer.delivery.id);
    if (!stored) throw new Error('not stored');
    await redis.client.del(WAITING_JOBS, jobKey(newer.delivery.id));
    expect((await queue.deliveries.save(stored, { ...newer.delivery, status: 'dead' }, { now: 2 })).kind).toBe('saved');
    const older = await accept(run(1, 1), T + 2);
    expect(await queue.deliveries.findNewer(older.delivery, run(1, 1))).toBeNull();
    expect(await queue.deadLetters.replay({ deliveryId: newer.delivery.id }, 3)).toBe(1);
    expect(await queue.deliveries.findNewer(older.delivery, run(1, 1))).toBe(newer.delivery.id);
  });

  test('a worker · learns of a newer one · open or created', async () => {
    const older = await accept(run(1, 1), T + 1);
    const newer = await accept(run(2, 2), T + 1);
    expect(await queue.deliveries.findNewer(older.delivery, run(1, 1))).toBe(newer.delivery.id);
    expect(await queue.deliveries.findNewer(newer.delivery, run(2, 2))).toBeNull();
    await createAll();
    expect(await queue.deliveries.findNewer(older.delivery, run(1, 1))).toBe(newer.delivery.id);
  });
});

describe('searching', () => {
  beforeEach(async () => {
    queue = await openTestTenant(redis, SLOW);
  });

  test('by delivery, device or run · finds what was accepted · newest first, whatever became of it', async () => {
    for (let number = 0; number < 40; number += 1) await accept(aRun(number), 1000 + number);
    const first = await accept(aRun('x', { deviceId: 'device-7', runId: 'evening' }), 5000);
    await createNext();
    const runs = async (text: string) => {
      const { deliveries, complete } = await queue.deliveries.search(text);
      expect(complete).toBe(true);
      return deliveries.map(({ runId }) => runId);
    };
    expect(await runs('device-7')).toEqual(['evening', 'run-7']);
    expect(await runs('run-0')).toEqual(['run-0']);
    expect(await runs(first.delivery.id)).toEqual(['evening']);
    expect(await runs('device-77')).toEqual([]);
    expect(await runs('*')).toEqual([]);
  });

  test('those that ended latest · are remembered · newest first', async () => {
    for (let number = 0; number < 5; number += 1) await accept(aRun(number), 1000 + number);
    await createAll();
    expect((await queue.deliveries.latest(3)).map(({ runId }) => runId)).toEqual(['run-4', 'run-3', 'run-2']);
  });
});
