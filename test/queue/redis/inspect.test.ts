// A diagnosis of real Redis servers: as they should be, as they should not, and none at all.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { examineRedis, isWritable, tryEmbedded, type RedisFacts } from '../../../src/queue/redis/inspect.ts';
import { toSecret } from '../../../src/config/secret.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

let redis: TestRedis;
let directory: string;

beforeAll(async () => {
  redis = await startTestRedis();
  directory = await mkdtemp(join(tmpdir(), 'runstate-inspect-'));
});
afterAll(async () => {
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});
afterEach(async () => {
  await redis.client.config('SET', 'appendfsync', 'always', 'maxmemory-policy', 'noeviction', 'maxmemory', '0');
});

async function factsOf(clock = Date.now): Promise<RedisFacts> {
  const examined = await examineRedis(redis.config, clock);
  if (examined.kind !== 'facts') throw new Error(examined.detail);
  return examined.facts;
}

test('a Redis as it should be · tells its facts · and keeps no trace of the question', async () => {
  const facts = await factsOf();
  expect(facts).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    role: 'master',
    write: { ms: expect.any(Number) as number },
    maxmemoryBytes: null,
    lastLogWriteFailed: false,
    health: { durability: 'always', maxmemoryPolicy: 'noeviction', memoryUsed: null },
  });
  expect(facts.pingMs).toBeGreaterThan(0);
  expect(Math.abs(facts.clockAheadMs)).toBeLessThan(100);
  expect(facts.usedBytes).toBeGreaterThan(0);
  expect(await redis.client.keys('*')).toEqual([]);
});

test('eviction, a weaker fsync, a limit · are reported', async () => {
  await redis.client.config('SET', 'appendfsync', 'everysec', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '100mb');
  expect(await factsOf()).toMatchObject({
    maxmemoryBytes: 104_857_600,
    health: { durability: 'everysec', maxmemoryPolicy: 'allkeys-lru' },
  });
});

test('a clock here that is behind · shows Redis ahead', async () => {
  const { clockAheadMs } = await factsOf(() => Date.now() - 60_000);
  expect(clockAheadMs).toBeGreaterThan(59_900);
  expect(clockAheadMs).toBeLessThan(60_100);
});

test('a replica · refuses the write · and says why', async () => {
  await redis.client.replicaof('127.0.0.1', 1);
  expect(await factsOf()).toMatchObject({
    role: 'slave',
    write: { error: expect.stringContaining('READONLY') as string },
  });
  await redis.client.replicaof('NO', 'ONE');
});

describe('one that cannot be used', () => {
  test('no append-only file · is reported as none', async () => {
    const plain = await startTestRedis('--appendonly', 'no');
    const examined = await examineRedis(plain.config, Date.now);
    await plain.close();
    expect(examined).toMatchObject({ kind: 'facts', facts: { health: { durability: 'none' } } });
  });

  test('one that wants a password · is reported as such', async () => {
    const locked = await startTestRedis();
    await locked.client.config('SET', 'requirepass', 'right');
    const examined = await examineRedis(locked.config, Date.now);
    await locked.close();
    expect(examined).toEqual({ kind: 'unreachable', detail: expect.stringContaining('NOAUTH') as string });
  });

  test('nobody there · is reported at once', async () => {
    const startedAt = performance.now();
    const url = toSecret(`unix:${join(directory, 'nobody.sock')}`);
    expect(await examineRedis({ kind: 'single', url, prefix: 'runstate' }, Date.now)).toEqual({
      kind: 'unreachable',
      detail: expect.stringContaining('ENOENT') as string,
    });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

test('an embedded one on trial · comes up with every write fsynced · and is gone afterwards', async () => {
  const { startMs, examined } = await tryEmbedded(Date.now);
  expect(startMs).toBeGreaterThan(0);
  expect(examined).toMatchObject({ kind: 'facts', facts: { health: { durability: 'always' } } });
});

test('a directory · is writable where it or the nearest above it is', async () => {
  const file = join(directory, 'file');
  await writeFile(file, '');
  await mkdir(join(directory, 'there'));
  expect(await isWritable(join(directory, 'there'))).toBe(true);
  expect(await isWritable(join(directory, 'not', 'yet'))).toBe(true);
  expect(await isWritable(join(file, 'below'))).toBe(false);
});
