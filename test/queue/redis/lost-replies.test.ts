// Redis executes a call and its reply is lost with the connection: the call that is sent again runs once and is answered as the first.
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { begin } from '../../../src/domain/delivery.ts';
import { createDeviceCounts } from '../../../src/queue/devices/device-counts.ts';
import { openRevocations, type Revocations } from '../../../src/queue/devices/revocations.ts';
import { toSecret } from '../../../src/config/secret.ts';
import { keyOfHold } from '../../../src/domain/hold/hold.ts';
import { asking, failed, judge, notSent, ONE, works } from '../../support/hold.ts';
import { createProxy, type Proxy } from '../../chaos/proxy.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
let proxy: Proxy;
let queue: OwnTenant;
let revocations: Revocations;
/** From the next script on, replies are held back. */
let isArmed = false;

function toRedis(): Socket {
  const socket = connect(`${redis.directory}/redis.sock`);
  const write: (bytes: Buffer) => boolean = socket.write.bind(socket);
  socket.write = (bytes: Buffer) => {
    if (isArmed && bytes.includes('\r\neval')) {
      isArmed = false;
      proxy.stall('replies');
    }
    return write(bytes);
  };
  return socket;
}

beforeAll(async () => {
  redis = await startTestRedis();
  proxy = await createProxy(toRedis);
  const url = toSecret(`redis://127.0.0.1:${proxy.port}`);
  // A slot every 10 s, so that a slot taken twice shows.
  const config = { kind: 'single' as const, url, prefix: 'runstate' };
  queue = await openTestTenant({ config }, { writesPer20s: 2 });
  revocations = await openRevocations(queue.redis, queue.keys, () => undefined);
});
afterAll(async () => {
  revocations.close();
  await queue.close();
  await proxy.close();
  await redis.close();
});
beforeEach(() => redis.client.flushall());

/** How many scripts Redis ran to their end. */
async function countRuns(): Promise<number> {
  const stats = await redis.client.info('commandstats');
  const counts = Array.from(stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+).*failed_calls=(\d+)/gm));
  return counts.reduce((sum, [, calls, failures]) => sum + Number(calls) - Number(failures), 0);
}

/** What Redis answers to the script of a call is lost with the connection. */
async function withLostReply<T>(call: () => Promise<T>, meanwhile = () => Promise.resolve()): Promise<T> {
  const before = await countRuns();
  isArmed = true;
  const answer = call();
  await until('Redis has run it', async () => (await countRuns()) > before);
  await meanwhile();
  proxy.cut();
  proxy.resume();
  return answer;
}

async function accept(number: number) {
  const accepted = await queue.deliveries.accept(aRun(number), Date.now());
  if (accepted.kind === 'conflict') throw new Error('not accepted');
  return accepted;
}

async function load(number: number) {
  const { delivery } = await accept(number);
  const stored = await queue.deliveries.load(delivery.id);
  if (!stored) throw new Error('not stored');
  return stored;
}

async function makeDead(number: number): Promise<string> {
  const stored = await load(number);
  const dead = { ...stored.delivery, status: 'dead' as const };
  expect((await queue.deliveries.save(stored, dead, { now: Date.now() })).kind).toBe('saved');
  return stored.delivery.id;
}

test('an acceptance · is answered as accepted · and a later one as a duplicate', async () => {
  await accept(1);
  expect((await withLostReply(() => accept(2))).kind).toBe('accepted');
  expect((await accept(2)).kind).toBe('duplicate');
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 2 });
});

test('acceptances that went together · each hear their own answer · the known and the contradicted too', async () => {
  const known = await accept(1);
  const [accepted, duplicate, conflict] = await withLostReply(() =>
    Promise.all([accept(2), accept(1), queue.deliveries.accept(aRun(1, { output: 'other' }), Date.now())]),
  );
  expect(accepted.kind).toBe('accepted');
  expect(duplicate).toMatchObject({ kind: 'duplicate', delivery: known.delivery });
  expect(conflict).toEqual({ kind: 'conflict' });
});

test('a known run · whose record is another one by the time it is read, as on another server · is a conflict', async () => {
  const { id } = (await accept(1)).delivery;
  const [key, first] = [queue.keys.delivery(id), (await redis.client.get(queue.keys.delivery(id))) ?? ''];
  await redis.client.del(key);
  await queue.deliveries.accept(aRun(1, { output: 'other' }), Date.now());
  const other = (await redis.client.get(key)) ?? '';
  await redis.client.set(key, first);
  const [, known] = await withLostReply(
    () => Promise.all([accept(2), queue.deliveries.accept(aRun(1), Date.now())]),
    async () => {
      await redis.client.set(key, other);
    },
  );
  expect(known).toEqual({ kind: 'conflict' });
});

test('the same run twice in one call · is accepted once · also when asked again', async () => {
  await accept(1);
  const kinds = await withLostReply(() => Promise.all([accept(2), accept(2)]));
  expect(kinds.map(({ kind }) => kind)).toEqual(['accepted', 'duplicate']);
});

test('a save · is saved · so that a worker knows its own intent', async () => {
  await makeDead(1);
  const stored = await load(2);
  const saved = await withLostReply(() => queue.deliveries.save(stored, begin(stored.delivery, 5), { now: 5 }));
  expect(saved).toMatchObject({ kind: 'saved', stored: { rev: expect.any(Number) as number } });
  expect(await queue.deliveries.counts()).toMatchObject({ delivering: 1 });
});

test('many saves at once · each hear their own answer', async () => {
  await makeDead(0);
  const all = await Promise.all(Array.from({ length: 20 }, (_, number) => load(number + 1)));
  const winners = await withLostReply(() =>
    Promise.all(
      // Two for each: one of them comes too late.
      all.flatMap((stored) =>
        [1, 2].map((at) => queue.deliveries.save(stored, begin(stored.delivery, at), { now: at })),
      ),
    ),
  );
  expect(winners.map(({ kind }) => kind)).toEqual(Array.from({ length: 20 }, () => ['saved', 'stale']).flat());
});

test('a replay and a purge · count what they did', async () => {
  for (const number of [1, 2]) await queue.deadLetters.purge({ deliveryId: await makeDead(number) });
  const [replayed, purged] = [await makeDead(3), await makeDead(4)];
  expect(await withLostReply(() => queue.deadLetters.replay({ deliveryId: replayed }, 5))).toBe(1);
  expect(await withLostReply(() => queue.deadLetters.purge({ deliveryId: purged }))).toBe(1);
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 1, dead: 0 });
});

test('promoting from the line · counts and wakes those it took', async () => {
  await queue.deliveries.promote();
  await Promise.all(Array.from({ length: 30 }, (_, number) => accept(number)));
  await redis.client.zremrangebyrank(queue.keys.promoted, 0, 4);
  expect(await withLostReply(() => queue.deliveries.promote())).toMatchObject({ count: 5 });
});

test('a slot of the budget · is had · and used once', async () => {
  await queue.budget.acquire('write', asking());
  await redis.client.flushall();
  expect(await withLostReply(() => queue.budget.acquire('write', asking()))).toMatchObject({ granted: true });
  expect(await queue.budget.acquire('write', asking())).toMatchObject({ granted: false, reason: 'pace' });
});

test('a throttle, a failure, a hold and its end · are each counted once and reported as new', async () => {
  const { budget, keys } = queue;
  const probes = ['create' as const, keyOfHold('create', ONE)];
  await budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 1, random: 0.5 });
  await judge(budget, failed('forbidden'));
  await redis.client.flushall();

  expect(
    await withLostReply(() => budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 50, random: 0.5 })),
  ).toBe(50);
  expect(await redis.client.hget(keys.budget, 'throttles')).toBe('1');
  expect((await withLostReply(() => judge(budget, notSent('down')))).began).toEqual([]);
  expect(await redis.client.hget(keys.holds, 's:any')).toContain('"count":1');
  expect((await withLostReply(() => judge(budget, failed('forbidden')))).began).toHaveLength(2);
  const { goOn } = await withLostReply(() => judge(budget, failed('forbidden'), { probes }));
  expect(goOn).toMatchObject([{ probes: 1 }, { probes: 1 }]);
  expect((await withLostReply(() => judge(budget, works, { probes }))).ended).toHaveLength(2);
});

test('a device’s count · counts each submission once', async () => {
  const count = createDeviceCounts(queue.redis, queue.keys);
  await count('device-1', 0, 1);
  expect(await withLostReply(() => count('device-1', 0, 2))).toBe(3);
});

test('a revocation and its end · say that they changed something', async () => {
  await revocations.revoke('device-0', 1);
  await revocations.restore('device-0');
  expect(await withLostReply(() => revocations.revoke('device-1', 1))).toBe(true);
  expect(await withLostReply(() => revocations.restore('device-1'))).toBe(true);
});

test('what is kept of answers · is one for each call that was ever under way at once · and goes by itself', async () => {
  for (let number = 0; number < 50; number += 1) await accept(number);
  const kept = await redis.client.keys('*:call:*');
  expect(kept).toHaveLength(1);
  expect(await redis.client.pttl(kept[0] ?? '')).toBeGreaterThan(0);
  expect(await redis.client.strlen(kept[0] ?? '')).toBeLessThan(200);
});
