// What the doctor makes of Redis's facts: a table of what is well, what is weak and what breaks the promise.
import { describe, expect, test } from 'vitest';
import { judgeRedis, toSkew } from '../../src/doctor/redis.ts';
import type { RedisFacts } from '../../src/queue/redis/inspect.ts';

const MB = 1_048_576;
const good: RedisFacts = {
  version: '7.0.15',
  role: 'master',
  pingMs: 0.31,
  write: { ms: 1.2 },
  clockAheadMs: 0.2,
  usedBytes: 3 * MB,
  maxmemoryBytes: 300 * MB,
  machineBytes: 4000 * MB,
  lastLogWriteFailed: false,
  health: { durability: 'always', maxmemoryPolicy: 'noeviction', memoryUsed: 0.01, refused: null },
};

const judge = (facts: Partial<RedisFacts>) => judgeRedis({ kind: 'facts', facts: { ...good, ...facts } });

test('a Redis as it should be · passes every check · with what was seen', () => {
  expect(judge({}).map(({ check, result, detail }) => [check, result, detail])).toEqual([
    ['redis', 'ok', 'answers in 0.3 ms'],
    ['redis-version', 'ok', '7.0.15'],
    ['redis-writes', 'ok', 'a write by script takes 1.2 ms, until it is as durable as Redis is'],
    ['redis-durability', 'ok', 'always: a write is fsynced before it is acknowledged'],
    ['redis-eviction', 'ok', 'noeviction: a full Redis refuses and forgets nothing'],
    ['redis-memory', 'ok', '3.0 MB of 300 MB are used (1 %)'],
    ['redis-clock', 'ok', 'Redis’s clock is level with the one here'],
  ]);
});

test('a Redis that does not answer · is one failure · with its reason', () => {
  expect(judgeRedis({ kind: 'unreachable', detail: 'WRONGPASS' })).toEqual([
    {
      check: 'redis',
      result: 'failed',
      detail: 'does not answer: WRONGPASS',
      remedy: expect.stringContaining('password') as string,
    },
  ]);
});

const health = (changes: Partial<RedisFacts['health']>) => ({ health: { ...good.health, ...changes } });

test.each<[string, Partial<RedisFacts>, string, string, RegExp]>([
  ['6.2.0', { version: '6.2.0' }, 'redis-version', 'ok', /6\.2\.0/],
  ['6.0.16', { version: '6.0.16' }, 'redis-version', 'failed', /too old/],
  ['8.2', { version: '8.2' }, 'redis-version', 'ok', /8\.2/],
  ['no version', { version: 'unknown' }, 'redis-version', 'failed', /unknown/],
  ['everysec', health({ durability: 'everysec' }), 'redis-durability', 'warning', /everysec/],
  ['fsync no', health({ durability: 'no' }), 'redis-durability', 'warning', /appendfsync is no/],
  ['no AOF', health({ durability: 'none' }), 'redis-durability', 'failed', /no append-only file/],
  ['a refused CONFIG', health({ durability: 'unknown', refused: 'NOPERM' }), 'redis-durability', 'warning', /NOPERM/],
  ['a refused INFO', { version: 'unknown', ...health({ refused: 'NOPERM' }) }, 'redis-version', 'warning', /NOPERM/],
  [
    'a policy that is not told',
    health({ maxmemoryPolicy: 'unknown', refused: 'NOPERM' }),
    'redis-eviction',
    'warning',
    /NOPERM/,
  ],
  [
    'a refused INFO',
    { usedBytes: 0, maxmemoryBytes: null, ...health({ refused: 'NOPERM' }) },
    'redis-memory',
    'warning',
    /NOPERM/,
  ],
  ['a silent CONFIG', health({ durability: 'unknown' }), 'redis-durability', 'warning', /does not tell/],
  ['a full disk', { lastLogWriteFailed: true }, 'redis-durability', 'failed', /could not write/],
  ['allkeys-lru', health({ maxmemoryPolicy: 'allkeys-lru' }), 'redis-eviction', 'failed', /throws accepted/],
  ['volatile-ttl', health({ maxmemoryPolicy: 'volatile-ttl' }), 'redis-eviction', 'warning', /forgotten too early/],
  ['a slow disk', { write: { ms: 50 } }, 'redis-writes', 'warning', /50\.0 ms/],
  ['a replica', { role: 'slave', write: { error: 'READONLY' } }, 'redis-writes', 'failed', /READONLY/],
  ['no right to write', { write: { error: 'NOPERM' } }, 'redis-writes', 'failed', /NOPERM/],
  ['89 %', { usedBytes: 267 * MB }, 'redis-memory', 'ok', /89 %/],
  ['90 %', { usedBytes: 270 * MB }, 'redis-memory', 'warning', /nearly full/],
  ['95 %', { usedBytes: 285 * MB }, 'redis-memory', 'failed', /refused/],
  ['no maxmemory', { maxmemoryBytes: null }, 'redis-memory', 'ok', /without a maxmemory/],
  [
    'half the machine',
    { maxmemoryBytes: null, usedBytes: 2000 * MB },
    'redis-memory',
    'warning',
    /of a machine of 4000 MB/,
  ],
  ['1.9 s ahead', { clockAheadMs: 1900 }, 'redis-clock', 'ok', /1\.9 s ahead of/],
  ['2 s behind', { clockAheadMs: -2000 }, 'redis-clock', 'warning', /2\.0 s behind/],
])('%s · is judged', (_, facts, check, result, detail) => {
  const finding = judge(facts).find((one) => one.check === check);
  expect(finding).toMatchObject({ result, detail: expect.stringMatching(detail) as string });
  expect(finding?.remedy !== null).toBe(result !== 'ok');
});

test('a replica · is reported with the advice to name the master · others to look at rights', () => {
  const remedyOf = (facts: Partial<RedisFacts>) => judge(facts).find(({ check }) => check === 'redis-writes')?.remedy;
  expect(remedyOf({ role: 'slave', write: { error: 'READONLY' } })).toContain('Name the master');
  expect(remedyOf({ write: { error: 'NOPERM' } })).toContain('a missing right');
});

describe('a skew', () => {
  test.each([
    [0.9, 'level with'],
    [-12.4, '12 ms behind'],
    [999.4, '999 ms ahead of'],
    [-61_000, '61.0 s behind'],
  ])('%d ms · in words', (aheadMs, words) => {
    expect(toSkew(aheadMs)).toBe(words);
  });
});
