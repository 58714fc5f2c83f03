// The directory's stores in Redis, each by itself: forgetting, holds and waiting questions meet what comes late.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { throttleMs } from '../../../src/domain/directory/directory-answer.ts';
import { toKeyDigest } from '../../../src/domain/directory/directory-device.ts';
import { createMirror } from '../../../src/queue/directory/mirror.ts';
import { openQuestions } from '../../../src/queue/directory/questions.ts';
import { createTroubleStore } from '../../../src/queue/directory/trouble.ts';
import { createKeys } from '../../../src/queue/redis/keys.ts';
import { openRedis, type OpenRedis } from '../../../src/queue/redis/open-redis.ts';
import { aDevice } from '../../support/directory.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const keys = createKeys('runstate', 'default');
const NOW = 1_795_000_000_000;
const ignore = () => undefined;

let redis: TestRedis;
let opened: OpenRedis;
beforeAll(async () => {
  redis = await startTestRedis();
  opened = await openRedis(redis.config, 'work', { redisTrouble: ignore, waitingForRedis: ignore, durability: ignore });
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  await opened.close();
  await redis.close();
});

test('an answer to a question from before a device was forgotten · counts no more · a later one does', async () => {
  const { deviceId, key } = aDevice();
  const mirror = createMirror(opened.connection, keys);
  const device = { isEnabled: true, isManaged: true, keys: [toKeyDigest(key)] };
  await mirror.saveDevice(deviceId, device, NOW - 5000);
  expect(await mirror.forget(deviceId, NOW)).toBe(true);
  await mirror.saveDevice(deviceId, device, NOW - 1);
  await mirror.saveAbsent(deviceId, NOW - 1);
  expect(await mirror.read([deviceId])).toEqual([{ kind: 'never-asked' }]);
  await mirror.saveDevice(deviceId, device, NOW + 1);
  expect(await mirror.read([deviceId])).toMatchObject([{ kind: 'known' }]);
});

test('a word kept before the clock stepped back · is replaced by a new one · but not by one that is merely late', async () => {
  const { deviceId, key } = aDevice();
  const mirror = createMirror(opened.connection, keys);
  const device = { isEnabled: true, isManaged: true, keys: [toKeyDigest(key)] };
  const disabled = { ...device, isEnabled: false };
  await mirror.saveDevice(deviceId, device, NOW);
  await mirror.saveDevice(deviceId, disabled, NOW - 60_000);
  expect(await mirror.read([deviceId])).toMatchObject([{ device: { isEnabled: true } }]);
  await mirror.saveDevice(deviceId, disabled, NOW - 3_600_000);
  expect(await mirror.read([deviceId])).toMatchObject([{ device: { isEnabled: false } }]);
});

test('a probe that fails after another ended the hold · leaves it ended · and a new hold can begin', async () => {
  const trouble = createTroubleStore(opened.connection, keys);
  const cause = { reason: 'unavailable', detail: 'x' } as const;
  expect(await trouble.beginHold(cause, NOW, NOW)).toBe(true);
  expect(await trouble.endHold()).toBe(true);
  await trouble.probeFailed(cause, NOW + 1000);
  expect((await trouble.read()).hold).toBeNull();
  expect(await trouble.beginHold(cause, NOW, NOW + 60_000)).toBe(true);
  expect(await trouble.beginHold(cause, NOW + 1, NOW + 60_000)).toBe(false);
  expect((await trouble.read()).hold).toMatchObject({ reason: 'unavailable', since: NOW });
});

test('a question that waits · becomes more urgent with a more urgent one · and never less', async () => {
  const questions = openQuestions(opened.connection, keys, ignore);
  const { deviceId } = aDevice();
  const priority = async () => (await questions.queue.getJob(deviceId))?.priority;
  for (const [kind, expected] of [
    ['mismatch', 3],
    ['refresh', 1],
    ['unknown', 1],
  ] as const) {
    expect(await questions.ask(deviceId, kind)).toBe(true);
    expect(await priority()).toBe(expected);
  }
  expect(await questions.queue.getPrioritizedCount()).toBe(1);
  await questions.close();
});

test('a throttle · lasts as the directory says · but no moment and no year', () => {
  const at = (retryAfterMs: number | null, inARow: number) => throttleMs(retryAfterMs, { inARow, dice: 0.5 });
  expect(at(30_000, 0)).toBe(30_000);
  expect(at(0, 0)).toBe(1500);
  expect(at(1000, 4)).toBe(24_000);
  expect(at(null, 20)).toBe(225_000);
  expect(at(1e15, 0)).toBe(3_600_000);
});
