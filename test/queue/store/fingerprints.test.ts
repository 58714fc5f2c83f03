// Fingerprints over a real Redis: known again by every process, through every rotation, and telling a thief of Redis nothing.
import { createHmac, hash } from 'node:crypto';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { toSaid, type Said } from '../../../src/domain/submission/fingerprinted-text.ts';
import { openFingerprintSecrets } from '../../../src/queue/store/fingerprint-secrets.ts';
import { createFingerprints } from '../../../src/queue/store/fingerprints.ts';
import { connect, disconnect, waitUntilReady } from '../../../src/queue/redis/connection.ts';
import { createPayloadCipher } from '../../../src/queue/store/payload-cipher.ts';
import { FIRST_PAYLOAD_KEY, FIRST_RECORDS } from '../../support/first-version.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun } from '../../support/tenant.ts';

const HASH = 'runstate:{default}:fingerprint-secrets';
const [A, B, C] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer];

let redis: TestRedis;
startFreshRedis((started) => void (redis = started));

const said = (changes: object = {}) => toSaid({ ...aRun(1), output: 'cctk --setuppwd=Geheim1', ...changes });

/** A process of its own: its connection, its keys. */
async function openProcess(keys: readonly Buffer[]) {
  const connection = connect(redis.config, 'answer', () => undefined);
  await waitUntilReady(connection);
  const prints = createFingerprints(openFingerprintSecrets(connection, HASH, keys), createPayloadCipher([]));
  return {
    make: async (what: Said) => (await prints.ready())(what),
    isOf: prints.isOf,
    connection,
    [Symbol.asyncDispose]: () => disconnect(connection),
  };
}

async function make(keys: readonly Buffer[], what = said()): Promise<string> {
  await using process = await openProcess(keys);
  return await process.make(what);
}

async function isOf(keys: readonly Buffer[], found: string, what = said()): Promise<boolean> {
  await using process = await openProcess(keys);
  return await process.isOf(found, what);
}

describe('a fingerprint', () => {
  test('of the same content · is the same in every process · whichever came first and whatever the keys’ order', async () => {
    const all = await Promise.all([[A, B], [A], [B, A], [A, B], []].slice(0, 4).map((keys) => make(keys)));
    expect(new Set(all).size).toBe(1);
    expect(all[0]).toMatch(/^2\.[\w-]{26}$/);
  });

  test('of other content · even where only a masked password differs · is another', async () => {
    const found = await make([A]);
    expect(await isOf([A], found)).toBe(true);
    expect(await isOf([A], found, said({ output: 'cctk --setuppwd=Geheim2' }))).toBe(false);
    expect(await isOf([A], found, said({ upn: 'x' }))).toBe(false);
  });

  test.each(['', '2.', '2.AAAA', '3.AAAABBBBBBCCCCCCCCCCCCCCCC', 'x'.repeat(28)])(
    'that nobody made · %j · is of nothing',
    async (found) => {
      expect(await isOf([A], found)).toBe(false);
    },
  );

  test('with everything that Redis holds, but no key · cannot be tried · on any guess', async () => {
    const found = await make([A, B]);
    const values = Object.values(await redis.client.hgetall(HASH));
    expect(values).toHaveLength(2);
    const material = values
      .flatMap((value) => value.split('.'))
      .flatMap((part) => [part, Buffer.from(part, 'base64url')]);
    const guesses = [
      ...material.map((key) => createHmac('sha256', key).update(said().text).digest('base64url')),
      hash('sha256', said().text, 'base64url'),
    ];
    expect(guesses.filter((guess) => guess.startsWith(found.slice(-16)))).toEqual([]);
  });
});

describe('keys that change', () => {
  test('a rotation step by step · knows what every step made · to its end and beyond', async () => {
    const made = [await make([A]), await make([A, B]), await make([B, A]), await make([B])];
    expect(new Set(made).size).toBe(1);
    // A process that was late.
    expect(await isOf([A], made[0] ?? '')).toBe(true);
    expect(await make([B, C])).toBe(made[0]);
    expect(await make([C])).toBe(made[0]);
  });

  test('payload keys introduced and taken away beside a group key · change nothing', async () => {
    const group = A;
    const found = await make([group]);
    expect(await make([B, group])).toBe(found);
    expect(await make([group])).toBe(found);
  });

  test('a first key where there was none · seals the secret · and leaves it nowhere in the clear', async () => {
    const found = await make([]);
    const [secret = ''] = Object.values(await redis.client.hgetall(HASH));
    expect(await make([A])).toBe(found);
    expect(JSON.stringify(await redis.client.hgetall(HASH))).not.toContain(secret);
  });

  test('every key replaced at once · the run is known by what no secret is in · and new ones are distinguished in full', async () => {
    const found = await make([A]);
    expect(await isOf([B], found)).toBe(true);
    expect(await isOf([B], found, said({ exitCode: 1 }))).toBe(false);
    expect(await isOf([B], found, said({ completedAt: '2026-11-23T10:00:00.1234568+01:00' }))).toBe(false);
    const fresh = await make([B]);
    expect(fresh).not.toBe(found);
    expect(await isOf([B], fresh, said({ output: 'other' }))).toBe(false);
    // Whoever has both keys knows both.
    expect(await isOf([A, B], found, said({ output: 'other' }))).toBe(false);
    expect([await isOf([A, B], found), await isOf([A, B], fresh)]).toEqual([true, true]);
  });

  test('a secret that another process made since · is fetched · when it is met', async () => {
    await using early = await openProcess([A, B]);
    await early.make(said());
    await redis.client.del(HASH);
    const found = await make([B]);
    expect(await early.isOf(found, said())).toBe(true);
    expect(await early.isOf(found, said({ output: 'other' }))).toBe(false);
  });

  test('a Redis that forgot the secret, and a new connection · gets it again · from a process that has it', async () => {
    await using process = await openProcess([A]);
    const found = await process.make(said());
    await redis.client.del(HASH);
    const back = once(process.connection, 'ready');
    (process.connection as Redis).disconnect(true);
    await back;
    expect(await process.make(said())).toBe(found);
    expect(await make([A])).toBe(found);
  });

  test('a sealed secret that was spoilt · is replaced · and stops nobody', async () => {
    await make([A]);
    const [field = ''] = Object.keys(await redis.client.hgetall(HASH));
    await redis.client.hset(HASH, field, 'spoilt');
    const found = await make([A]);
    expect(await make([A])).toBe(found);
  });
});

describe('a fingerprint of the first version', () => {
  const other = { exitCode: 99, state: 'unknown' };

  test.each(FIRST_RECORDS)('$what · is of what was sent · and of nothing else', async ({ sent, plain, keyed }) => {
    const connection = connect(redis.config, 'answer', () => undefined);
    const secrets = openFingerprintSecrets(connection, HASH, [A]);
    const prints = createFingerprints(secrets, createPayloadCipher([B, FIRST_PAYLOAD_KEY]));
    const without = createFingerprints(secrets, createPayloadCipher([B]));
    for (const found of [plain, keyed]) {
      expect(await prints.isOf(found, toSaid(sent))).toBe(true);
      expect(await prints.isOf(found, toSaid({ ...sent, ...other }))).toBe(false);
    }
    // A device that was updated since says null where it said nothing, or nothing where it said null.
    for (const upn of sent['upn'] === 'ada@contoso.example' ? [] : [null, undefined]) {
      expect(await prints.isOf(plain, toSaid({ ...sent, upn, error: sent['error'] ?? null }))).toBe(true);
    }
    expect(await without.isOf(keyed, toSaid(sent))).toBe(false);
    await disconnect(connection);
  });
});
