// A pass over the keys of a tenant: every type, size and byte, what expires, what is gone, and what does not move.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createKeys } from '../../../../src/queue/redis/keys.ts';
import { copyPass } from '../../../../src/queue/redis/move/copy-pass.ts';
import { AnotherRun, createWriter } from '../../../../src/queue/redis/move/writer.ts';
import { openEnd, type OpenedEnd } from '../../../support/moving.ts';
import { startTestRedis, type TestRedis } from '../../../support/redis.ts';

const keys = createKeys('runstate', 'default');
const RUN = 'run-1';
const at = (name: string) => `${keys.root}:${name}`;

let redis: { old: TestRedis; fresh: TestRedis };
let source: OpenedEnd;
let target: OpenedEnd;

beforeAll(async () => {
  const [old, fresh] = await Promise.all([startTestRedis('--appendonly', 'no'), startTestRedis('--appendonly', 'no')]);
  redis = { old, fresh };
});
afterAll(() => Promise.all([redis.old.close(), redis.fresh.close()]));
beforeEach(async () => {
  await Promise.all([redis.old.client.flushall(), redis.fresh.client.flushall()]);
  await redis.fresh.client.hset(keys.move, 'run', RUN);
  await redis.fresh.client.hset(keys.counts, { format: 1_000_000, moved: 'here' });
  source = await openEnd(redis.old.config, 'old');
  target = await openEnd(redis.fresh.config, 'fresh');
});
afterEach(() => Promise.all([source.close(), target.close()]));

const pass = (signal = new AbortController().signal) =>
  copyPass({
    source: source.connection,
    target: target.connection,
    keys,
    writer: createWriter(target.connection, keys.move, RUN),
    signal,
  });

/** Every key of the tenant with its content, as DUMP has it: both servers are of one version. */
async function contentOf({ client }: TestRedis): Promise<Record<string, string>> {
  const names = (await client.keys(`${keys.root}:*`)).filter((key) => key !== keys.move && key !== keys.counts).sort();
  const read = async (key: string): Promise<[string, string]> => {
    const type = await client.type(key);
    if (type === 'string') return [key, ((await client.getBuffer(key)) ?? Buffer.alloc(0)).toString('hex')];
    if (type === 'list') return [key, (await client.lrangeBuffer(key, 0, -1)).map((one) => one.toString('hex')).join()];
    if (type === 'zset') return [key, (await client.zrange(key, '0', '-1', 'WITHSCORES')).join()];
    if (type === 'set') return [key, (await client.smembers(key)).sort().join()];
    const fields = await client.hgetallBuffer(key);
    return [
      key,
      Object.entries(fields)
        .map(([field, value]) => `${field}=${value.toString('hex')}`)
        .sort()
        .join(),
    ];
  };
  return Object.fromEntries(await Promise.all(names.map(read)));
}

const expectSame = async () => expect(await contentOf(redis.fresh)).toEqual(await contentOf(redis.old));
const many = (count: number) => Array.from({ length: count }, (_, index) => index);

/** One small and one large of each type; large ones are read in parts. */
async function fill(): Promise<void> {
  const { client } = redis.old;
  const bytes = randomBytes(300);
  await client.set(at('text'), 'plain');
  await client.set(at('empty'), '');
  await client.set(at('bytes'), bytes);
  await client.set(at('long'), randomBytes(1_000_000));
  await client.set(at('middle'), randomBytes(40_000));
  await client.hset(at('hash'), { field: bytes, other: '' });
  await client.hset(at('large-hash'), Object.fromEntries(many(12_000).map((n) => [`field-${n}`, `value-${n}`])));
  await client.zadd(at('set-by-score'), 1.5, 'a', -3, 'b', 0.1, 'c', '+inf', 'd', 1796019837812, 'e');
  await client.zadd(at('large-sorted-set'), ...many(12_000).flatMap((n) => [n / 7, `member-${n}`]));
  await client.sadd(at('set'), 'x', 'y', bytes);
  await client.sadd(at('large-set'), ...many(12_000).map((n) => `member-${n}`));
  await client.rpush(at('list'), 'one', 'two', bytes, 'one');
  await client.rpush(at('large-list'), ...many(12_000).map((n) => `element-${n % 50}`));
  await client.hset(keys.counts, { queued: 3, format: 1_000_000, moved: 'away', draining: 1 });
}

test('keys of every type · small and large, of any bytes · are the same on the other side', async () => {
  await fill();
  expect(await pass()).toMatchObject({ keys: 14, written: 14, removed: 0 });
  expect(await redis.fresh.client.hgetall(keys.counts)).toEqual({ queued: '3', format: '1000000', moved: 'here' });
  await expectSame();
  expect(await pass()).toMatchObject({ keys: 14, written: 0, removed: 0 });
});

test('whatever changed since · in a key, of a key’s type, or by its removal · is changed on the other side', async () => {
  await fill();
  await pass();
  const { client } = redis.old;
  await client.set(at('text'), 'other');
  await client.setrange(at('long'), 900_000, 'changed');
  await client.hset(at('large-hash'), { 'field-7': 'changed', added: 'x' });
  await client.hdel(at('large-hash'), 'field-8', 'field-9');
  await client.zadd(at('large-sorted-set'), 5, 'member-1000', 1, 'added');
  await client.zrem(at('large-sorted-set'), 'member-5', 'member-6');
  await client.srem(at('large-set'), 'member-1');
  await client.sadd(at('large-set'), 'added');
  await client.lpop(at('large-list'), 3);
  await client.rpush(at('large-list'), 'more');
  await client.rpush(at('list'), 'more');
  await client.del(at('set'), at('bytes'), at('empty'));
  await client.set(at('set'), 'is a text now');
  await client.hdel(keys.counts, 'queued');
  expect(await pass()).toMatchObject({ keys: 12, written: 9, removed: 2 });
  expect(await redis.fresh.client.hget(keys.counts, 'queued')).toBeNull();
  expect(await pass()).toMatchObject({ written: 0, removed: 0 });
  await expectSame();
});

test('what expires · expires there as well · and a changed or ended expiry is followed', async () => {
  const { client } = redis.old;
  await client.set(at('soon'), 'x', 'PX', 60_000);
  await client.hset(at('hash'), 'a', '1');
  await client.pexpire(at('hash'), 120_000);
  await client.rpush(at('list'), ...many(12_000).map(String));
  await client.pexpire(at('list'), 90_000);
  await pass();
  const remaining = () => Promise.all(['soon', 'hash', 'list'].map((name) => redis.fresh.client.pttl(at(name))));
  const [soon = 0, hash = 0, list = 0] = await remaining();
  expect(soon).toSatisfy((ms: number) => ms > 50_000 && ms <= 60_000);
  expect(hash).toSatisfy((ms: number) => ms > 110_000 && ms <= 120_000);
  expect(list).toSatisfy((ms: number) => ms > 80_000 && ms <= 90_000);
  expect(await pass()).toMatchObject({ written: 0 });
  await client.persist(at('soon'));
  await client.pexpire(at('hash'), 10_000_000);
  await client.rpush(at('list'), 'more');
  await client.pexpire(at('list'), 90_000);
  expect(await pass()).toMatchObject({ written: 3 });
  const [never = 0, longer = 0, same = 0] = await remaining();
  expect(never).toBe(-1);
  expect(longer).toBeGreaterThan(9_000_000);
  expect(same).toBeGreaterThan(80_000);
});

test('what expired a moment ago · is removed on the other side · and counts as no difference', async () => {
  await redis.fresh.client.set(at('expired'), 'x', 'PX', 3000);
  await redis.fresh.client.set(at('removed'), 'x', 'PX', 60_000);
  expect(await pass()).toMatchObject({ written: 0, removed: 1 });
  expect(await redis.fresh.client.exists(at('expired'), at('removed'))).toBe(0);
});

test('replies to calls, counts of a minute, questions and what is about one server · stay where they are', async () => {
  const names = ['call:a:1', 'rate:device:1', 'questions:meta', 'directory-reader', 'directory-throttle', 'probe'];
  for (const name of names) await redis.old.client.set(at(name), 'x');
  await redis.fresh.client.set(at('call:b:1'), 'its own');
  await redis.old.client.set('runstate:{other}:text', 'x');
  await redis.old.client.set('runstate:{default-2}:text', 'x');
  expect(await pass()).toEqual({ keys: 0, bytes: 0, written: 0, removed: 0 });
  expect(await redis.fresh.client.keys('*:call:*')).toEqual([at('call:b:1')]);
});

test('thousands of records · are copied in slices · and counted once each', async () => {
  const fields = many(5000).flatMap((n) => [at(`record-${n}`), `content of ${n}`]);
  await redis.old.client.mset(...fields);
  expect(await pass()).toMatchObject({ keys: 5000, written: 5000 });
  expect(await pass()).toMatchObject({ keys: 5000, written: 0 });
  await expectSame();
});

/** How often a command was called since the server started, or since CONFIG RESETSTAT. */
async function callsOf({ client }: TestRedis, command: string): Promise<number> {
  const stats = await client.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

test('more than one script may digest · is neither read nor written again where it is the same', async () => {
  const { client } = redis.old;
  const large = many(300).flatMap((n) => [at(`d-${n}`), randomBytes(20_000)]);
  await client.mset(...large);
  expect(await pass()).toMatchObject({ keys: 300, written: 300 });
  await client.config('RESETSTAT');
  expect(await pass()).toMatchObject({ keys: 300, written: 0, removed: 0 });
  expect(await callsOf(redis.old, 'getrange')).toBe(0);
  await client.setrange(at('d-299'), 19_999, 'x');
  expect(await pass()).toMatchObject({ written: 1 });
  await expectSame();
});

test('a run that lost the move · writes nothing any more · and is told', async () => {
  await fill();
  await redis.fresh.client.hset(keys.move, 'run', 'run-2');
  await expect(pass()).rejects.toThrow(AnotherRun);
  expect((await redis.fresh.client.keys(`${keys.root}:*`)).sort()).toEqual([keys.counts, keys.move]);
});

test('a type that is not moved · ends the pass · and is named', async () => {
  await redis.old.client.xadd(at('stream'), '*', 'a', '1');
  await expect(pass()).rejects.toThrow(/stream/);
});
