// What workers do about the directory of their own accord: refresh words, forget unused devices, drop questions that never succeed.
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { packId, unpackDevice } from '../../../src/queue/directory/packed-device.ts';
import { createKeys, QUESTION_QUEUE_NAME } from '../../../src/queue/redis/keys.ts';
import { aDevice, found, openTestDirectory, type TestDirectory } from '../../support/directory.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const GOOD = { kind: 'good' };
/** Words begin to age after 1 to 1.5 s, and devices are forgotten 14 s after their last use. */
const MAX_AGE_MS = 2000;
const keys = createKeys('runstate', 'default');

let redis: TestRedis;
let directory: TestDirectory;
let now = 0;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterEach(async () => {
  await directory.close();
  await redis.client.flushall();
});
afterAll(() => redis.close());

async function open(): Promise<void> {
  // Redis keeps whole seconds.
  now = Math.floor(Date.now() / 1000) * 1000;
  directory = await openTestDirectory(redis, { clock: () => now, maxAgeMs: MAX_AGE_MS });
}

async function usedAtOf(deviceId: string): Promise<number | null> {
  const kept = await redis.client.hgetBuffer(keys.directory.devices, packId(deviceId));
  return kept && unpackDevice(kept).usedAt;
}

test('a word that ages · is refreshed without a request · and a fresh one is left alone', async () => {
  await open();
  const [older, newer] = [aDevice(), aDevice()];
  directory.read((deviceId, times) =>
    deviceId === older.deviceId ? found(older.key, { isEnabled: times === 1 }) : found(newer.key),
  );
  expect(await directory.verify(older.deviceId, older.key)).toEqual(GOOD);
  now += 1000;
  expect(await directory.verify(newer.deviceId, newer.key)).toEqual(GOOD);
  now += 900;
  await until('a refresh', () => directory.asked.get(older.deviceId) === 2);
  await until('the new word', async () => (await directory.verify(older.deviceId, older.key)).kind === 'bad');
  expect(directory.asked.get(newer.deviceId)).toBe(1);
});

test('a device that no longer submits · is forgotten · and one that does is kept', async () => {
  await open();
  const [unused, used] = [aDevice(), aDevice()];
  directory.read((deviceId) => found(deviceId === used.deviceId ? used.key : unused.key));
  for (const { deviceId, key } of [unused, used]) expect(await directory.verify(deviceId, key)).toEqual(GOOD);
  now += 7000;
  expect(await directory.verify(used.deviceId, used.key)).toEqual(GOOD);
  await until('the use noted', async () => (await usedAtOf(used.deviceId)) === now);
  now += 7000;
  await until('the unused one forgotten', async () => (await usedAtOf(unused.deviceId)) === null);
  expect(await usedAtOf(used.deviceId)).toBe(now - 7000);
});

test('a question that fails each time · is dropped after the fifth · while others are answered', async () => {
  await open();
  const [poison, other] = [aDevice(), aDevice()];
  directory.read((deviceId) =>
    deviceId === poison.deviceId ? { kind: 'failed', detail: 'cannot be read' } : found(other.key),
  );
  const poisoned = directory.verify(poison.deviceId, poison.key);
  await until('a first failure', () => directory.asked.get(poison.deviceId));
  expect(await directory.verify(other.deviceId, other.key)).toEqual(GOOD);
  expect(await poisoned).toMatchObject({ kind: 'unknown' });

  const queue = new Queue(QUESTION_QUEUE_NAME, { connection: redis.client, prefix: keys.root });
  await until('the question dropped', async () => {
    // Instead of waiting 1, 2, 4 and 8 s.
    await queue.promoteJobs();
    return directory.reported.includes('dropped');
  });
  await queue.close();
  expect(directory.asked.get(poison.deviceId)).toBe(5);
  // Counts are a tenth of a second old at most.
  await until('nothing waits', async () => (await directory.readState()).waiting === 0);
  expect(await directory.readState()).toMatchObject({ hold: null });
});
