// A wave of new devices at once: all are answered at the directory's pace, and known devices go on meanwhile.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { found, openTestDirectory, type TestDirectory } from '../../support/directory.ts';
import { countMostWithin, keyOf, madeUpIds, playWave, quantile } from '../../support/directory-wave.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

/** `npm run bench -- bench/directory/main.ts` plays 10,000. */
const NEW = 150;
const KNOWN = 20;

let redis: TestRedis;
let api: TestDirectory;
let worker: TestDirectory;
const askedAt: number[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  [api, worker] = [await openTestDirectory(redis), await openTestDirectory(redis)];
  worker.read((deviceId) => {
    askedAt.push(performance.now());
    return found(keyOf(deviceId));
  });
});
afterAll(async () => {
  await worker.close();
  await api.close();
  await redis.close();
});

test('150 new devices at once · are all answered · at the directory’s pace, while known ones go on', async () => {
  const knownIds = madeUpIds(KNOWN);
  await Promise.all(knownIds.map((id) => api.verify(id, keyOf(id))));
  askedAt.length = 0;

  const wave = await playWave({
    verify: api.verify,
    newIds: madeUpIds(NEW),
    knownIds,
    knownEveryMs: 200,
    againAfterMs: () => 200 + Math.random() * 300,
  });
  expect(wave.goodAfterMs).toHaveLength(NEW);
  expect(wave.refused).toBe(0);
  expect(worker.asked.size).toBe(NEW + KNOWN);
  // A device that asks just as its answer comes may be asked about twice.
  expect(askedAt.length).toBeLessThanOrEqual(NEW * 1.2);
  // 50 a second, counted from the first question on: a second that straddles two may have the questions of both.
  expect(countMostWithin(askedAt, 1000)).toBeLessThanOrEqual(100);
  expect((askedAt.at(-1) ?? 0) - (askedAt[0] ?? 0)).toBeGreaterThan(1900);
  expect(wave.known.notGood).toBe(0);
  expect(wave.known.latenciesMs.length).toBeGreaterThan(KNOWN);
  expect(quantile(wave.known.latenciesMs, 0.5)).toBeLessThan(500);
}, 30_000);
