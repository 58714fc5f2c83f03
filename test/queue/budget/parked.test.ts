// What one configuration's hold keeps: out of the way without a job, probed one at a time, back in front when it ends, lost by nobody.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begin, supersede } from '../../../src/domain/delivery.ts';
import { FORGOTTEN_AFTER_MS, keyOfHold } from '../../../src/domain/hold/hold.ts';
import type { RunResult } from '../../../src/domain/submission/run-result.ts';
import { toSecret } from '../../../src/config/secret.ts';
import type { Stored } from '../../../src/queue/store/record.ts';
import { asking, failed, judge, ONE, OTHER, works } from '../../support/hold.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, POLICY, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';
import { removeJob, takeJob, waitingJobs, WAITING_JOBS } from '../../support/jobs.ts';

const HELD = keyOfHold('create', ONE);
/** Probes are due at once, and none counts as lost while a test runs, however slow the machine is. */
const SETTINGS = { writesPer20s: 100, holdProbeMs: 50, policy: { ...POLICY, attemptTimeoutMs: 600_000 } };

let redis: TestRedis;
let queue: OwnTenant;

startFreshRedis((started) => void (redis = started));
beforeEach(async () => {
  queue = await openTestTenant(redis, SETTINGS);
});
afterEach(() => queue.close());

const accept = (number: number, hardwareConfigurationId = ONE) =>
  acceptRun(aRun(number, { hardwareConfigurationId }), number);

async function acceptRun(run: RunResult, number: number): Promise<string> {
  const accepted = await queue.deliveries.accept(run, 1000 + number);
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  return accepted.delivery.id;
}

/** Of one configuration alone: another one is created meanwhile. */
async function holdOne(): Promise<void> {
  await judge(queue.budget, works, { configuration: OTHER });
  await judge(queue.budget, failed('forbidden', '403'), { id: 'first' });
}
const release = () => judge(queue.budget, works, { probes: [HELD] });

const jobs = async () => (await waitingJobs(redis.client)).toReversed();
const parked = () => redis.client.zrange(queue.keys.parked(HELD), '0', '-1');
/** As a worker does when a job is done. */
async function takeOne(): Promise<string> {
  const id = await takeJob(redis.client);
  if (id === null) throw new Error('no job');
  return id;
}
/** So many are created. */
async function takeAll(count: number): Promise<void> {
  for (let taken = 0; taken < count; taken += 1) {
    const id = await takeOne();
    const stored = await queue.deliveries.load(id);
    const done = { status: 'delivered' as const, deliveredAt: 5, deviceRunStateId: `record of ${id}` };
    if (stored) await queue.deliveries.save(stored, { ...stored.delivery, ...done }, { now: 5 });
  }
}
/** As a worker does before it sends anything. */
async function announce(id: string): Promise<Stored> {
  const stored = await queue.deliveries.load(id);
  const announced = stored && (await queue.deliveries.save(stored, begin(stored.delivery, 5), { now: 5 }));
  if (announced?.kind !== 'saved') throw new Error('not announced');
  return announced.stored;
}
/** An attempt that did not create its record. */
async function tryOnce(id: string, nextInMs: number): Promise<void> {
  const announced = await announce(id);
  const waiting = { ...announced.delivery, status: 'waiting' as const, intent: null, dueAt: 6 + nextInMs };
  expect((await queue.deliveries.save(announced, waiting, { now: 6 })).kind).toBe('saved');
}
async function feedAll(): Promise<void> {
  while ((await queue.deliveries.promote()).nextInMs === 0);
}

describe('while one configuration is held', () => {
  test('2,000 of its results in front · are parked without a job · and the others have theirs at once', async () => {
    await holdOne();
    await Promise.all(Array.from({ length: 2000 }, (_, number) => accept(number)));
    const sound = await Promise.all(Array.from({ length: 40 }, (_, number) => accept(5000 + number, OTHER)));
    await feedAll();
    const probes = (await jobs()).filter((id) => !sound.includes(id));
    expect(probes.length).toBeLessThanOrEqual(1);
    expect((await jobs()).filter((id) => sound.includes(id))).toEqual(sound.slice(0, 10));
    expect((await parked()).length + probes.length).toBe(2000);
    const { parked: counted } = await queue.budget.state();
    expect(counted[HELD]).toBe((await parked()).length);
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 2040, dead: 0 });
    expect((await queue.readSnapshot()).oldestOpen).toMatchObject({ at: 1000 });
  });

  test('its probe · is another of its deliveries each time · one at a time', async () => {
    const ids = await Promise.all([1, 2, 3].map((number) => accept(number)));
    for (const id of ids) expect(await takeOne()).toBe(id);
    await holdOne();
    for (const id of ids) await queue.deliveries.park(id, HELD);
    const probed: string[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      await until('a probe is chosen', async () => (await queue.deliveries.promote()).count > 0);
      expect(await jobs()).toHaveLength(1);
      expect((await queue.deliveries.promote()).count).toBe(0);
      const id = await takeOne();
      probed.push(id);
      const permit = await until('its turn', async () => {
        const turned = await queue.budget.acquire('write', asking(id));
        return turned.granted && turned;
      });
      expect(permit.probes).toEqual([HELD]);
      await judge(queue.budget, failed('forbidden', '403'), { id, probes: permit.probes });
      expect(await queue.budget.acquire('write', asking(id))).toEqual({ granted: false, heldBy: HELD });
      await queue.deliveries.park(id, HELD);
    }
    expect(new Set(probed).size).toBe(3);
  });

  test('a worker killed with the probe · leaves it unfinished · and another takes it over or chooses again', async () => {
    await holdOne();
    const id = await accept(1);
    await until('it is chosen', async () => (await queue.deliveries.promote()).count > 0);
    await takeOne();
    expect(await parked()).toEqual([]);
    expect(await queue.deliveries.sweep(Date.now() + 60_000)).toBe(1);
    expect(await jobs()).toEqual([id]);
  });

  test('while something is left to probe it · a hold is not forgotten, however long nobody worked · then it is', async () => {
    const overdue = async () => {
      const hold = JSON.parse((await redis.client.hget(queue.keys.holds, `h:${HELD}`)) ?? '{}') as { probeAt: number };
      hold.probeAt -= 2 * FORGOTTEN_AFTER_MS;
      await redis.client.hset(queue.keys.holds, `h:${HELD}`, JSON.stringify(hold));
      if ((await redis.client.zscore(queue.keys.probes, HELD)) !== null)
        await redis.client.zadd(queue.keys.probes, hold.probeAt, HELD);
      await judge(queue.budget, works, { configuration: OTHER });
    };
    const ids = await Promise.all([1, 2].map((number) => accept(number)));
    for (const id of ids) expect(await takeOne()).toBe(id);
    await holdOne();
    for (const id of ids) await queue.deliveries.park(id, HELD);
    await overdue();
    expect((await queue.budget.state()).holds).toHaveLength(1);
    await feedAll();
    expect(await parked()).toHaveLength(1);
    await redis.client.del(queue.keys.parked(HELD));
    await judge(queue.budget, failed('forbidden', '403'), { id: 'last', probes: [HELD] });
    await until('no probe is left', async () => {
      await queue.deliveries.promote();
      return (await redis.client.zscore(queue.keys.probes, HELD)) === null;
    });
    await overdue();
    expect((await queue.budget.state()).holds).toEqual([]);
    expect(await redis.client.hexists(queue.keys.holds, `h:${HELD}`)).toBe(0);
  });

  test('one whose attempt is under way elsewhere · is not parked by the worker that lost it', async () => {
    const id = await accept(1);
    await takeOne();
    await holdOne();
    await announce(id);
    await queue.deliveries.park(id, HELD);
    expect(await parked()).toEqual([]);
    expect(await redis.client.zscore(queue.keys.promoted, id)).not.toBeNull();
  });

  test('a superseded one · leaves · and is chosen no more', async () => {
    await holdOne();
    const [first, second] = [await accept(1), await accept(2)];
    await feedAll();
    const newer = await accept(3, OTHER);
    const all = [...(await parked()), ...(await jobs())].filter((id) => id !== newer);
    expect(all.toSorted()).toEqual([first, second].toSorted());
    for (const id of all) {
      const stored = await queue.deliveries.load(id);
      if (!stored) throw new Error('not stored');
      const saved = await queue.deliveries.save(stored, supersede(stored.delivery, newer), { now: 5 });
      expect(saved.kind).toBe('saved');
    }
    expect(await parked()).toEqual([]);
    expect(await redis.client.zrange(queue.keys.promoted, '0', '-1')).toEqual([newer]);
  });

  test('one that was to be parked as the hold ended · is tried again at once', async () => {
    const id = await accept(1);
    await takeOne();
    await holdOne();
    await release();
    await queue.deliveries.park(id, HELD);
    expect(await parked()).toEqual([]);
    await until('it has a job again', async () => (await queue.deliveries.promote()).count === 1);
    expect(await jobs()).toEqual([id]);
  });
});

describe('once the hold has ended', () => {
  test('what was parked · goes before who came later · oldest first, and places in line stay right', async () => {
    await holdOne();
    const early = await Promise.all(Array.from({ length: 450 }, (_, number) => accept(number)));
    await feedAll();
    await Promise.all(Array.from({ length: 20 }, (_, number) => accept(900 + number, OTHER)));
    await release();
    await feedAll();
    await redis.client.del(WAITING_JOBS);
    const [, , line = ''] = queue.keys.waitingLists;
    const waiting = await redis.client.lrange(line, 0, -1);
    const inFront = waiting.filter((id) => early.includes(id));
    expect(inFront.length).toBeGreaterThanOrEqual(440);
    expect(waiting.slice(0, inFront.length)).toEqual(early.filter((id) => inFront.includes(id)));
    expect(await redis.client.keys(`${queue.keys.root}:parked*`)).toEqual([]);
    expect(await redis.client.exists(queue.keys.released)).toBe(0);
    const { ahead } = await queue.deliveries
      .accept(aRun(9999, { hardwareConfigurationId: OTHER }), 9999)
      .then((answer) => {
        if (answer.kind !== 'accepted') throw new Error(answer.kind);
        return answer;
      });
    expect(ahead).toBeGreaterThanOrEqual(waiting.length);
  });

  test('one that was tried before · comes back among those put off · and is tried again', async () => {
    const id = await accept(1);
    await takeOne();
    await tryOnce(id, -1);
    await holdOne();
    await queue.deliveries.park(id, HELD);
    await release();
    await until('it has a job again', async () => (await queue.deliveries.promote()).count === 1);
    expect(await jobs()).toEqual([id]);
  });
});

describe('with sealed run results', () => {
  const KEYS = [toSecret(Buffer.alloc(32, 7).toString('base64'))];

  beforeEach(async () => {
    await queue.close();
    queue = await openTestTenant(redis, { ...SETTINGS, payloadKeys: KEYS });
  });

  test('a parked delivery · is known by its configuration without being decrypted · and comes back whole', async () => {
    await holdOne();
    const ids = await Promise.all([1, 2, 3, 4, 5].map((number) => accept(number)));
    await feedAll();
    const kept = [...(await parked()), ...(await jobs())];
    expect(kept.toSorted()).toEqual(ids.toSorted());
    expect((await jobs()).length).toBeLessThanOrEqual(1);
    for (const id of ids) expect(await redis.client.get(queue.keys.delivery(id))).toContain('sealed1.');
    await release();
    await feedAll();
    expect((await jobs()).toSorted()).toEqual(ids.toSorted());
    const runs = await Promise.all(ids.map(async (id) => (await queue.deliveries.load(id))?.run));
    expect(runs.map((run) => run?.hardwareConfigurationId)).toEqual(ids.map(() => ONE));
    expect(new Set(runs.map((run) => run?.runId)).size).toBe(ids.length);
  });

  test('one that was tried before · is parked and comes back · though its record changed', async () => {
    const id = await accept(1);
    await takeOne();
    await tryOnce(id, -1);
    await holdOne();
    await queue.deliveries.park(id, HELD);
    expect(await parked()).toEqual([id]);
    await release();
    await until('it has a job again', async () => (await queue.deliveries.promote()).count === 1);
    expect(await jobs()).toEqual([id]);
  });
});

describe('with failures first', () => {
  const failure = (number: number, hardwareConfigurationId = ONE) =>
    acceptRun(aRun(number, { hardwareConfigurationId, exitCode: 1 }), number);

  beforeEach(async () => {
    await queue.close();
    queue = await openTestTenant(redis, { ...SETTINGS, holdProbeMs: 60_000, priority: 'failures-first' });
  });

  test('failures of a held configuration · stand in nobody’s way · and successes of others go', async () => {
    await holdOne();
    const held = await Promise.all(Array.from({ length: 300 }, (_, number) => failure(number)));
    const sound = await Promise.all(Array.from({ length: 10 }, (_, number) => accept(5000 + number, OTHER)));
    await feedAll();
    expect((await jobs()).toSorted()).toEqual(sound.toSorted());
    expect((await parked()).toSorted()).toEqual(held.toSorted());
  });

  test('once it has ended · each goes back in front of its own rank · and failures still go first', async () => {
    // So many fill the room for those with a job that everybody else waits in line.
    await Promise.all(Array.from({ length: 10 }, (_, number) => accept(9000 + number, OTHER)));
    await holdOne();
    const success = await Promise.all([1, 2, 3].map((number) => accept(number)));
    const failures = await Promise.all([11, 12, 13].map((number) => failure(number)));
    await takeAll(10);
    await feedAll();
    expect((await parked()).toSorted()).toEqual([...success, ...failures].toSorted());
    await Promise.all(Array.from({ length: 10 }, (_, number) => accept(9100 + number, OTHER)));
    const later = [await failure(21, OTHER), await accept(22, OTHER)];
    await release();
    await feedAll();
    const [first = '', , last = ''] = queue.keys.waitingLists;
    expect(await redis.client.lrange(first, 0, -1)).toEqual([...failures, later[0]]);
    expect(await redis.client.lrange(last, 0, -1)).toEqual([...success, later[1]]);
    await takeAll(10);
    await feedAll();
    // Among the first five may be one whose turn it is as the oldest of all.
    const soon = (await jobs()).slice(0, 5);
    expect(soon.filter((id) => !success.includes(id)).slice(0, 4)).toEqual([...failures, later[0]]);
  });
});

test('retries that are due in crowds · have a share of the room · and new ones get theirs', async () => {
  for (let number = 0; number < 100; number += 1) {
    const id = await accept(number, OTHER);
    await removeJob(redis.client, id);
    await tryOnce(id, 1);
    await queue.deliveries.promote();
  }
  await redis.client.del(WAITING_JOBS);
  const fresh = await Promise.all(Array.from({ length: 30 }, (_, number) => accept(500 + number, OTHER)));
  await until(
    'all retries are due',
    async () => (await redis.client.zcount(queue.keys.putOff, '-inf', Date.now())) > 80,
  );
  await feedAll();
  expect((await jobs()).filter((id) => fresh.includes(id))).toHaveLength(10);
  expect(await redis.client.scard(queue.keys.retrying)).toBeLessThanOrEqual(4);
});
