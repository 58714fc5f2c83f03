// Deliveries in Redis: each run once, compare-and-set, one record for one delivery, nothing forgotten too early.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { conclude } from '../../support/conclude.ts';
import { begin, withdraw, type Outcome } from '../../../src/domain/delivery.ts';
import type { RunResult } from '../../../src/domain/submission/run-result.ts';
import type { Stored } from '../../../src/queue/store/record.ts';
import { toSecret, type Secret } from '../../../src/config/secret.ts';
import { openFreshTenants } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, POLICY, type OwnTenant } from '../../support/tenant.ts';
import { jobKey, removeJob, waitingJobs, WAITING_JOBS } from '../../support/jobs.ts';

let redis: TestRedis;
let queue: OwnTenant;

openFreshTenants((opened) => void ({ redis, queue } = opened));

const created = (deviceRunStateId: string): Outcome => ({
  kind: 'created',
  deviceRunStateId,
  graph: { status: 201, requestId: 'q' },
});
const found = (deviceRunStateId: string): Outcome => ({
  kind: 'found',
  deviceRunStateId,
  graph: { status: 200, requestId: 'q' },
});

async function accepted(number: number | string): Promise<Stored> {
  const { delivery } = (await queue.deliveries.accept(aRun(number), 1000)) as { delivery: { id: string } };
  const stored = await queue.deliveries.load(delivery.id);
  if (!stored) throw new Error('not stored');
  return stored;
}

async function concluded(stored: Stored, outcome: Outcome, now = 2000) {
  const announced = await queue.deliveries.save(stored, begin(stored.delivery, now), { now });
  if (announced.kind !== 'saved') throw new Error(announced.kind);
  const { delivery } = conclude({
    delivery: announced.stored.delivery,
    outcome,
    circumstances: { now, random: 0, held: false },
    policy: POLICY,
  });
  return queue.deliveries.save(announced.stored, delivery, { now });
}

describe('accepting', () => {
  test('a run · is stored with a job to wake a worker · and counted', async () => {
    const { delivery, run } = await accepted(1);
    expect(run).toEqual(aRun(1));
    expect(await redis.client.exists(jobKey(delivery.id))).toBe(1);
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 1, delivering: 0 });
    expect((await queue.readSnapshot()).oldestOpen.at).toBe(1000);
  });

  test('the same run again · is a duplicate · with the first acceptance', async () => {
    const first = await queue.deliveries.accept(aRun(1), 1000);
    const again = await queue.deliveries.accept(aRun(1), 9000);
    expect(first.kind).toBe('accepted');
    expect(again).toMatchObject({ kind: 'duplicate', delivery: { acceptedAt: 1000 } });
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 1 });
  });

  test('a run id used for other content · is a conflict · and changes nothing', async () => {
    const { delivery } = await accepted(1);
    expect(await queue.deliveries.accept(aRun(1, { exitCode: 1 }), 9000)).toEqual({ kind: 'conflict' });
    expect((await queue.deliveries.load(delivery.id))?.run?.exitCode).toBe(0);
  });

  test('under other keys than the first time · the same run is known, other content is not · also once the key is gone that its record was sealed with', async () => {
    const [old, fresh] = [1, 2].map((byte) => toSecret(Buffer.alloc(32, byte).toString('base64')));
    if (!old || !fresh) throw new Error('no keys');
    const as = async (payloadKeys: Secret[], run: RunResult) => {
      const opened = await openTestTenant(redis, { payloadKeys });
      const { kind } = await opened.deliveries.accept(run, 9000);
      await opened.close();
      return kind;
    };
    expect(await as([], aRun('plain'))).toBe('accepted');
    expect(await as([old], aRun('plain'))).toBe('duplicate');
    expect(await as([old], aRun('sealed'))).toBe('accepted');
    expect(await as([fresh, old], aRun('sealed'))).toBe('duplicate');
    expect(await as([fresh, old], aRun('sealed', { output: '' }))).toBe('conflict');
    expect(await as([fresh], aRun('sealed'))).toBe('duplicate');
    expect(await as([fresh], aRun('sealed', { output: '' }))).toBe('conflict');
  });

  test('a thousand copies at once · one is accepted · all others are duplicates', async () => {
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, at) => queue.deliveries.accept(aRun(1), at)));
    expect(answers.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === 'duplicate')).toHaveLength(999);
    expect(await redis.client.llen(WAITING_JOBS)).toBe(1);
  });

  test('a steady stream · shares calls, which begin 5 ms apart · and loses nothing', async () => {
    // Each call that stores something appends its rows to the index once.
    const calls = async () =>
      Number(/^cmdstat_append:calls=(\d+)/m.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
    const answers = [queue.deliveries.accept(aRun('first'), 1)];
    await answers[0];
    const [callsBefore, startedAt] = [await calls(), performance.now()];
    for (let turn = 0; turn < 100; turn += 1) {
      answers.push(...['a', 'b'].map((which) => queue.deliveries.accept(aRun(`${turn}-${which}`), 1)));
      await delay(1);
    }
    expect((await Promise.all(answers)).filter(({ kind }) => kind === 'accepted')).toHaveLength(201);
    const [made, tookMs] = [(await calls()) - callsBefore, performance.now() - startedAt];
    expect(made).toBeGreaterThan(1);
    expect(made).toBeLessThanOrEqual(Math.ceil(tookMs / 5) + 1);
    await queue.deliveries.accept(aRun('alone'), 1);
    await queue.deliveries.accept(aRun('next'), 1);
    expect(await calls()).toBe(callsBefore + made + 2);
  });

  test('ids that are names of the queue’s own keys · are accepted · and brick nothing', async () => {
    for (const name of [
      'active',
      'wait',
      'meta',
      'id',
      'events',
      'delayed',
      'completed',
      'stalled',
      'marker',
      '0',
      '123',
    ]) {
      expect((await queue.deliveries.accept(aRun(name, { runId: name, deviceId: name }), 1)).kind).toBe('accepted');
    }
    expect(await queue.jobs.countWaiting()).toBe(11);
  });
});

describe('saving', () => {
  test('a change meant for another server, that took another result under the same id · is stale', async () => {
    const elsewhere = await accepted(1);
    await redis.client.flushall();
    const { delivery } = (await queue.deliveries.accept(aRun(1, { exitCode: 1 }), 1000)) as {
      delivery: { id: string };
    };
    expect(delivery.id).toBe(elsewhere.delivery.id);
    const late = await queue.deliveries.save(elsewhere, begin(elsewhere.delivery, 5), { now: 5 });
    expect(late).toEqual({ kind: 'stale' });
    expect((await queue.deliveries.load(delivery.id))?.run?.exitCode).toBe(1);
  });

  test('a change meant for another server, that changed the record as often, as while a failover is under way · is stale', async () => {
    const stored = await accepted(1);
    const { keys } = queue;
    const before = (await redis.client.get(keys.delivery(stored.delivery.id))) ?? '';
    const change = async () => {
      const announced = await queue.deliveries.save(stored, begin(stored.delivery, 5), { now: 5 });
      if (announced.kind !== 'saved') throw new Error(announced.kind);
      return announced.stored;
    };
    const elsewhere = await change();
    await redis.client.set(keys.delivery(stored.delivery.id), before);
    await change();
    const late = await queue.deliveries.save(elsewhere, withdraw(elsewhere.delivery), { now: 6 });
    expect(late).toEqual({ kind: 'stale' });
  });

  test('a change on an older revision · is stale · and does nothing', async () => {
    const stored = await accepted(1);
    expect((await queue.deliveries.save(stored, begin(stored.delivery, 5), { now: 5 })).kind).toBe('saved');
    expect(await queue.deliveries.save(stored, begin(stored.delivery, 6), { now: 6 })).toEqual({ kind: 'stale' });
    expect((await queue.deliveries.find(stored.delivery.id))?.intent?.at).toBe(5);
  });

  test('a delivered run · is remembered for the dedupe window without its output · and answered as a duplicate', async () => {
    const stored = await accepted(1);
    expect((await concluded(stored, created('record-1'))).kind).toBe('saved');
    const key = queue.keys.delivery(stored.delivery.id);
    expect(await redis.client.get(key)).not.toMatch(/output|exitCode|deviceName/);
    expect(await redis.client.pttl(key)).toBeGreaterThan(3_590_000);
    expect((await queue.readSnapshot()).oldestOpen.at).toBeNull();
    expect(await queue.deliveries.counts()).toMatchObject({ queued: 0, delivering: 0, delivered: 1 });
    expect(await queue.deliveries.accept(aRun(1), 9000)).toMatchObject({
      kind: 'duplicate',
      delivery: { status: 'delivered' },
    });
    expect(await queue.deliveries.accept(aRun(1, { exitCode: 5 }), 9000)).toEqual({ kind: 'conflict' });
  });

  test('a record in Graph · belongs to the first delivery that claims it · and is offered to no other', async () => {
    const [one, two] = [await accepted(1), await accepted(2)];
    expect((await concluded(one, created('record-1'))).kind).toBe('saved');
    expect(await queue.deliveries.unclaimed(['record-1', 'record-2'], two.delivery.id)).toEqual(['record-2']);
    expect(await queue.deliveries.unclaimed(['record-1'], one.delivery.id)).toEqual(['record-1']);
    expect(await concluded(two, found('record-1'))).toEqual({ kind: 'claimed' });
  });
});

describe('sweeping', () => {
  test('an open delivery without a job · is woken · one with a job is left alone', async () => {
    const [lost, waiting] = [await accepted(1), await accepted(2)];
    await removeJob(redis.client, lost.delivery.id);
    expect(await queue.deliveries.sweep(2000)).toBe(0);
    expect(await queue.deliveries.sweep(60_000)).toBe(1);
    expect(await queue.deliveries.sweep(60_000)).toBe(0);
    const jobs = await waitingJobs(redis.client);
    expect(jobs.toSorted()).toEqual([lost.delivery.id, waiting.delivery.id].toSorted());
  });
});
