// Replays at a rate, on a Redis whose clock the test sets: the pace over processes, pauses and deaths, and what is never replayed twice.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replay as toReplayed } from '../../../src/domain/delivery.ts';
import type { DeadLetterFilter } from '../../../src/domain/operations/dead-letter.ts';
import { connect, disconnect, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { createReplays, LEASE_MS, type Claim, type Replays } from '../../../src/queue/replays/replays.ts';
import { buryDeliveries } from '../../support/dead-letters.ts';
import { openFreshTenants } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { scriptClock, setTime } from '../../support/redis-clock.ts';
import type { OwnTenant } from '../../support/tenant.ts';

const HOUR_MS = 3_600_000;
const START = 1_764_000_000_000;

let redis: TestRedis;
let queue: OwnTenant;
let connection: RedisConnection;
let replays: Replays;
let now: number;

openFreshTenants((opened) => void ({ redis, queue } = opened));
beforeEach(async () => {
  connection = connect(redis.config, 'work', () => undefined);
  scriptClock(connection);
  await pass(0, START);
  replays = createReplays({ redis: connection, keys: queue.keys, tenantId: queue.id, deadLetters: queue.deadLetters });
});
afterEach(() => disconnect(connection));

async function pass(ms: number, from = now): Promise<void> {
  now = await setTime(connection, from + ms);
}

const bury = (count: number) => buryDeliveries({ redis, queue }, count, (number) => 1000 + number);

async function start(perSecond: number, filter: DeadLetterFilter = {}): Promise<string> {
  const started = await replays.start(filter, { perSecond, by: null });
  if (started.kind !== 'started') throw new Error(started.kind);
  return started.replay.id;
}

async function claim(id: string, processId = 'one'): Promise<Extract<Claim, { kind: 'slice' }>> {
  const claimed = await replays.claim(id, processId);
  if (claimed.kind !== 'slice') throw new Error(claimed.kind);
  return claimed;
}

/** Puts them back into the queue, as the process that claimed them does. @returns how many were */
async function replayAll(id: string, deliveryIds: readonly string[]): Promise<number> {
  const kinds = deliveryIds.map(async (deliveryId) => {
    const stored = await queue.deliveries.load(deliveryId);
    if (!stored) return 'gone';
    return (await queue.deliveries.save(stored, toReplayed(stored.delivery, now), { now, replayId: id })).kind;
  });
  return (await Promise.all(kinds)).filter((kind) => kind === 'saved').length;
}

/** How many are claimed now and replayed. */
async function step(id: string, processId = 'one'): Promise<number> {
  const { ids } = await claim(id, processId);
  return replayAll(id, ids);
}

test('two a second · are claimed one by one · the oldest first', async () => {
  const ids = await bury(5);
  const id = await start(2);
  expect(await claim(id)).toEqual({ kind: 'slice', waitMs: 500, fromBefore: 0, ids: [ids[0]] });
  expect(await replayAll(id, [ids[0] ?? ''])).toBe(1);
  await pass(200);
  expect(await claim(id)).toMatchObject({ waitMs: 300, ids: [] });
  await pass(300);
  expect((await claim(id)).ids).toEqual([ids[1]]);
});

test('the slowest rate · is one in 100 seconds · and kept over many looks', async () => {
  await bury(3);
  const id = await start(0.01);
  expect(await step(id)).toBe(1);
  for (let look = 0; look < 33; look += 1) {
    await pass(3000);
    expect(await step(id)).toBe(0);
  }
  await pass(1000);
  expect(await step(id)).toBe(1);
});

test.each([
  ['an outage', 10, () => pass(HOUR_MS)],
  [
    'a pause',
    1,
    async (id: string) => {
      await replays.change(id, 'pause');
      await pass(HOUR_MS);
      await replays.change(id, 'resume');
    },
  ],
])('%s of an hour · is caught up on · by %d at most, at ten a second', async (_what, most, interrupt) => {
  await bury(60);
  const id = await start(10);
  expect(await step(id)).toBe(1);
  await interrupt(id);
  expect(await step(id)).toBeLessThanOrEqual(most);
  await pass(1000);
  expect(await step(id)).toBe(10);
});

test('two processes · share one rate · and one of them drives until it is silent', async () => {
  await bury(30);
  const id = await start(10);
  expect(await step(id, 'one')).toBe(1);
  await pass(1000);
  expect(await replays.claim(id, 'two')).toEqual({ kind: 'driven' });
  expect(await step(id, 'one')).toBe(10);
  await pass(LEASE_MS - 1);
  expect(await replays.claim(id, 'two')).toEqual({ kind: 'driven' });
  await pass(1);
  expect(await step(id, 'two')).toBe(10);
  expect(await replays.claim(id, 'one')).toEqual({ kind: 'driven' });
  await replays.release(id, 'two');
  expect((await replays.claim(id, 'one')).kind).toBe('slice');
});

test('a clock that was set back · stops no replay · for longer than a lease', async () => {
  await bury(30);
  const id = await start(10);
  await claim(id, 'one');
  await pass(-HOUR_MS);
  expect((await replays.claim(id, 'two')).kind).toBe('slice');
});

test('a process killed with a slice · has some replayed and some not · and another counts each once', async () => {
  await bury(20);
  const id = await start(10);
  await step(id, 'killed');
  await pass(1000);
  const slice = await claim(id, 'killed');
  expect(slice.ids).toHaveLength(10);
  expect(await replayAll(id, slice.ids.slice(0, 4))).toBe(4);
  await pass(LEASE_MS);
  const next = await claim(id, 'another');
  expect(next.fromBefore).toBe(6);
  expect(next.ids.slice(0, 6)).toEqual(slice.ids.slice(4));
  expect(await replayAll(id, [...slice.ids, ...next.ids])).toBe(next.ids.length);
  for (;;) {
    await pass(1000);
    const claimed = await replays.claim(id, 'another');
    if (claimed.kind !== 'slice') break;
    await replayAll(id, claimed.ids);
  }
  expect(await replays.find(id)).toMatchObject({ state: 'done', matched: 20, replayed: 20, skipped: 0, endedAt: now });
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 20, dead: 0 });
});

test('paused · nothing changes · not even what was claimed before', async () => {
  await bury(10);
  const id = await start(5);
  await pass(1000);
  const { ids } = await claim(id);
  expect(await replays.change(id, 'pause')).toMatchObject({ kind: 'changed', replay: { state: 'paused' } });
  expect(await replays.change(id, 'pause')).toMatchObject({ kind: 'unchanged' });
  expect(await replayAll(id, ids)).toBe(0);
  for (const deliveryId of ids) await replays.skip(id, deliveryId, 'if-changed');
  await pass(HOUR_MS);
  expect(await replays.claim(id, 'one')).toEqual({ kind: 'stopped' });
  expect(await replays.running()).toBeNull();
  expect(await queue.deliveries.countWork()).toEqual({ open: 0, isReplaying: false });
  expect(await replays.find(id)).toMatchObject({ state: 'paused', replayed: 0, skipped: 0, endedAt: null });
  await replays.change(id, 'resume');
  expect((await claim(id)).ids.slice(0, ids.length)).toEqual(ids);
});

test('replayed or purged by someone else meanwhile · is skipped · and counted', async () => {
  const [first = '', second = '', third = ''] = await bury(3);
  const id = await start(100);
  await pass(1000);
  const { ids } = await claim(id);
  await queue.deadLetters.purge({ deliveryId: first });
  await queue.deadLetters.replay({ deliveryId: second }, now);
  expect(await replayAll(id, ids)).toBe(1);
  for (const deliveryId of [first, second, third]) await replays.skip(id, deliveryId, 'if-changed');
  expect(await replays.claim(id, 'one')).toEqual({ kind: 'done' });
  expect(await replays.find(id)).toMatchObject({ state: 'done', matched: 3, replayed: 1, skipped: 2 });
});

test('one that could still be replayed · is not skipped · unless it always fails', async () => {
  const [only = ''] = await bury(1);
  const id = await start(100);
  await claim(id);
  await replays.skip(id, only, 'if-changed');
  expect(await claim(id)).toMatchObject({ fromBefore: 1, ids: [only] });
  await replays.skip(id, only, 'always');
  expect(await replays.find(id)).toMatchObject({ replayed: 0, skipped: 1 });
  expect(await queue.deliveries.find(only)).toMatchObject({ status: 'dead' });
});

test('only what matches when it begins · is taken · by code here', async () => {
  await bury(7);
  const id = await start(1000, { code: 'graph-404' });
  expect(await replays.find(id)).toMatchObject({ filter: { code: 'graph-404' }, matched: 4 });
  await pass(1000);
  await step(id);
  expect(await replays.claim(id, 'one')).toEqual({ kind: 'done' });
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 4, dead: 3 });
});

test('a second one · is refused while one is open · paused or not, and leaves nothing behind', async () => {
  await bury(3);
  const id = await start(1);
  expect(await replays.start({}, { perSecond: 1, by: null })).toEqual({ kind: 'open' });
  await replays.change(id, 'pause');
  expect(await replays.start({}, { perSecond: 1, by: null })).toEqual({ kind: 'open' });
  expect(await replays.findOpen()).toMatchObject({ id, state: 'paused' });
  await replays.change(id, 'cancel');
  expect(await replays.findOpen()).toBeNull();
  expect((await redis.client.keys('*:left')).length + (await redis.client.keys('*:claimed')).length).toBe(0);
  expect(await replays.start({ code: 'none' }, { perSecond: 1, by: null })).toEqual({ kind: 'none' });
  expect((await replays.start({}, { perSecond: 1, by: 'app' })).kind).toBe('started');
  expect(await replays.list()).toMatchObject([{ by: 'app' }, { id, state: 'cancelled' }]);
});

test('cancelled · the rest stays dead · for good', async () => {
  await bury(5);
  const id = await start(1);
  await step(id);
  await pass(1000);
  const { ids } = await claim(id);
  expect(await replays.change(id, 'cancel')).toMatchObject({
    kind: 'changed',
    replay: { state: 'cancelled', endedAt: now },
  });
  expect(await replayAll(id, ids)).toBe(0);
  expect(await replays.change(id, 'cancel')).toMatchObject({ kind: 'unchanged' });
  expect(await replays.change(id, 'resume')).toMatchObject({ kind: 'ended' });
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 1, dead: 4 });
  expect(await redis.client.pttl(queue.keys.replay(id).replay)).toBeGreaterThan(29 * 24 * HOUR_MS);
});

test('very many that are left · are freed beside other work · when a replay is cancelled or refused', async () => {
  await bury(2);
  const id = await start(1);
  await redis.client.config('RESETSTAT');
  expect(await replays.start({}, { perSecond: 1, by: null })).toEqual({ kind: 'open' });
  await replays.change(id, 'cancel');
  const commands = await redis.client.info('commandstats');
  expect(commands).toContain('cmdstat_unlink:calls=2');
  expect(commands).not.toContain('cmdstat_del:');
});

test('the newest 50 · are kept · and listed newest first, also if the clock was set back', async () => {
  await bury(1);
  const ids: string[] = [];
  for (let count = 0; count < 52; count += 1) {
    const id = await start(1);
    await replays.change(id, 'cancel');
    ids.push(id);
    await pass(-1000);
  }
  const listed = await replays.list();
  expect(listed.map(({ id }) => id)).toEqual(ids.slice(2).reverse());
  expect(await replays.find(ids[0] ?? '')).toBeNull();
  expect(await redis.client.keys('*:replay:*')).toHaveLength(50);
});

test('what is no replay’s id · is unknown · whatever it is', async () => {
  for (const id of ['', 'rAAAAAAAAAAAAAAAA', 'x:left', '*']) {
    expect(await replays.find(id)).toBeNull();
    expect(await replays.change(id, 'pause')).toEqual({ kind: 'unknown' });
  }
});
