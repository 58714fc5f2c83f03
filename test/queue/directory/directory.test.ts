// The device directory in Redis: what a request hears, what is asked and when, and what is kept, against a real Redis.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { toKeyDigest } from '../../../src/domain/directory/directory-device.ts';
import { packDevice } from '../../../src/queue/directory/packed-device.ts';
import {
  aDevice,
  found,
  HOUR_MS,
  NOT_FOUND_ANSWER,
  openTestDirectory,
  type TestDirectory,
} from '../../support/directory.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
let now = Date.now();
const opened: TestDirectory[] = [];
beforeAll(async () => {
  redis = await startTestRedis();
});
afterEach(async () => {
  for (const directory of opened.splice(0)) await directory.close();
  await redis.client.flushall();
});
afterAll(() => redis.close());

async function open(wishes: Parameters<typeof openTestDirectory>[1] = {}): Promise<TestDirectory> {
  now = Date.now();
  const directory = await openTestDirectory(redis, { clock: () => now, ...wishes });
  opened.push(directory);
  return directory;
}

const GOOD = { kind: 'good' };
const BAD = { kind: 'bad', reason: expect.any(String) as string };
const UNKNOWN = { kind: 'unknown', reason: expect.any(String) as string };

test('a new device · waits for the directory’s answer · and is asked about once', async () => {
  const directory = await open();
  const { deviceId, key } = aDevice();
  directory.read(() => found(key));
  const verdicts = await Promise.all([directory.verify(deviceId, key), directory.verify(deviceId, key)]);
  expect(verdicts).toEqual([GOOD, GOOD]);
  expect(await directory.verify(deviceId, key)).toEqual(GOOD);
  expect([...directory.asked]).toEqual([[deviceId, 1]]);
});

test.each([
  ['disabled', (key: string) => found(key, { isEnabled: false }), 'managed', /disabled/],
  ['not managed', (key: string) => found(key, { isManaged: false }), 'managed', /not managed/],
  ['of another key', () => found('another'), 'managed', /another key/],
  ['not there', () => NOT_FOUND_ANSWER, 'enabled', /no such device/],
] as const)(
  'a device that is %s · is refused · and asked about again after 10 minutes',
  async (_what, answer, requirement, reason) => {
    const directory = await open({ requirement });
    const { deviceId, key } = aDevice();
    directory.read((_id, times) => (times === 1 ? answer(key) : found(key)));
    expect(await directory.verify(deviceId, key)).toEqual({
      kind: 'bad',
      reason: expect.stringMatching(reason) as string,
    });
    now += 599_000;
    expect(await directory.verify(deviceId, key)).toEqual(BAD);
    expect(directory.asked.get(deviceId)).toBe(1);
    now += 2000;
    expect(await directory.verify(deviceId, key)).toEqual(GOOD);
    expect(directory.asked.get(deviceId)).toBe(2);
  },
);

test('a device that is forgotten · is asked about at once · and judged by the new answer', async () => {
  const directory = await open();
  const { deviceId, key } = aDevice();
  directory.read((_id, times) => (times === 1 ? found(key) : found(key, { isEnabled: false })));
  expect(await directory.verify(deviceId, key)).toEqual(GOOD);
  expect(await directory.forget(deviceId)).toEqual({ changed: true, asked: true });
  await until('the new answer', () => directory.asked.get(deviceId) === 2);
  expect(await directory.verify(deviceId, key)).toEqual(BAD);
});

test('10,000 devices · take at most 200 bytes each · in Redis', async () => {
  const digest = toKeyDigest(aDevice().key);
  const devices = 'runstate:{default}:devices';
  const saves = redis.client.pipeline();
  for (let made = 0; made < 10_000; made += 1) {
    const device = { isEnabled: true, isManaged: true, keys: [digest] };
    const [id = '', flags = '', askedAt = '', keys = ''] = packDevice(randomUUID(), device, now);
    saves.hset(devices, Buffer.from(id, 'hex'), Buffer.from(flags + askedAt + askedAt + keys, 'hex'));
  }
  await saves.exec();
  expect(Number(await redis.client.memory('USAGE', devices, 'SAMPLES', 0)) / 10_000).toBeLessThanOrEqual(200);
});

test('a flood of unknown ids · leaves one question each · and nothing else', async () => {
  const directory = await open();
  const { key } = aDevice();
  const ids = Array.from({ length: 300 }, () => randomUUID());
  const flood = () => Promise.all(ids.map((id) => directory.verify(id, key)));
  expect(new Set((await flood()).map(({ kind }) => kind))).toEqual(new Set(['unknown']));
  const stored = await redis.countStored();
  await flood();
  expect(await redis.countStored()).toBe(stored);
  // One job each, and a few keys of the queue's own.
  expect(stored).toBeLessThanOrEqual(ids.length + 10);
  expect((await directory.readState()).waiting).toBe(ids.length);
});

test('a known device · submits at once · while the directory is away for a week', async () => {
  const directory = await open();
  const { deviceId, key } = aDevice();
  let isAway = false;
  directory.read(() => (isAway ? { kind: 'held', reason: 'unavailable', detail: 'away' } : found(key)));
  expect(await directory.verify(deviceId, key)).toEqual(GOOD);
  isAway = true;
  now += 25 * HOUR_MS;
  expect(await directory.verify(deviceId, key)).toEqual(GOOD);
  await until('a hold', async () => (await directory.readState()).hold);
  for (let day = 2; day < 7; day += 1) {
    now += 24 * HOUR_MS;
    const startedAt = performance.now();
    expect(await directory.verify(deviceId, key)).toEqual(GOOD);
    expect(performance.now() - startedAt).toBeLessThan(500);
  }
  expect(await directory.verify(randomUUID(), key)).toEqual(UNKNOWN);
  now += 48 * HOUR_MS;
  expect(await directory.verify(deviceId, key)).toEqual(UNKNOWN);
});
