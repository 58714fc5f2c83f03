// Waiting for the next attempt: by Redis's clock alone, no longer than was meant when that steps, whatever earlier versions left.
import { openJobQueue, type JobQueue } from '../../../src/queue/jobs/job-queue.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begin, type Delivery } from '../../../src/domain/delivery.ts';
import { createDeliveries, type Deliveries } from '../../../src/queue/store/deliveries.ts';
import { openFingerprintSecrets } from '../../../src/queue/store/fingerprint-secrets.ts';
import { WITHOUT_REPLICAS } from '../../../src/queue/redis/replicas/replication.ts';
import { createFingerprints } from '../../../src/queue/store/fingerprints.ts';
import { createKeys } from '../../../src/queue/redis/keys.ts';
import { connect, disconnect, waitUntilReady, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { createPayloadCipher } from '../../../src/queue/store/payload-cipher.ts';
import { scriptClock, setTime } from '../../support/redis-clock.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, POLICY } from '../../support/tenant.ts';
import { removeJob, waitingJobs } from '../../support/jobs.ts';

const T = Date.UTC(2026, 10, 23, 10);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const keys = createKeys('runstate', 'default');
const policy = { ...POLICY, backoff: { baseMs: 1000, capMs: 300_000 } };

let redis: TestRedis;
let connection: RedisConnection;
let jobQueue: JobQueue;
let deliveries: Deliveries;
let now: number;

startFreshRedis((started) => void (redis = started));
beforeEach(async () => {
  connection = connect(redis.config, 'work', () => undefined);
  await waitUntilReady(connection);
  scriptClock(connection);
  jobQueue = openJobQueue(connection, 'runstate', () => undefined);
  const settings = {
    priority: 'fifo' as const,
    supersede: false,
    dedupeWindowMs: DAY_MS,
    deliveredKeptMs: DAY_MS,
    writesPer20s: 100,
    holdProbeMs: 2000,
    policy,
  };
  const seal = createPayloadCipher([]);
  const prints = createFingerprints(openFingerprintSecrets(connection, keys.fingerprintSecrets, []), seal);
  deliveries = createDeliveries({
    redis: connection,
    jobs: jobQueue.ofTenant('default'),
    keys,
    tenantId: 'default',
    cipher: seal,
    fingerprints: prints,
    replicas: WITHOUT_REPLICAS,
    reports: { sweep: () => Promise.resolve() },
    settings,
    clock: () => now,
  });
  await clockShows(T);
});
afterEach(async () => {
  await jobQueue.close();
  await disconnect(connection);
});

async function clockShows(instant: number): Promise<void> {
  now = instant;
  await setTime(connection, instant);
}
const pass = (ms: number) => clockShows(now + ms);

async function accept(number: number, at = now): Promise<Delivery> {
  const accepted = await deliveries.accept(aRun(number), at);
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  return accepted.delivery;
}

/** A worker takes its job, tries, and puts it off. */
async function tryInVain(number: number, waitMs: number): Promise<string> {
  const { id } = await accept(number);
  await removeJob(redis.client, id);
  const stored = await deliveries.load(id);
  const announced = stored && (await deliveries.save(stored, begin(stored.delivery, now), { now }));
  if (announced?.kind !== 'saved') throw new Error('not announced');
  const waiting = { ...announced.stored.delivery, status: 'waiting' as const, intent: null, dueAt: now + waitMs };
  expect((await deliveries.save(announced.stored, waiting, { now })).kind).toBe('saved');
  return id;
}

const jobs = () => waitingJobs(redis.client);

describe('a delivery put off', () => {
  test('gets its job when its time has come · and not before', async () => {
    const id = await tryInVain(1, 60_000);
    await pass(59_000);
    expect((await deliveries.promote()).count).toBe(0);
    expect(await deliveries.waitMs(id)).toBe(1000);
    expect(await deliveries.sweep(now)).toBe(0);
    await pass(1000);
    expect((await deliveries.promote()).count).toBe(1);
    expect(await deliveries.waitMs(id)).toBe(0);
    expect(await jobs()).toEqual([id]);
  });

  test('does not take the place of one that could be created', async () => {
    for (let number = 1; number <= 10; number += 1) await tryInVain(number, 60_000);
    for (let number = 11; number <= 25; number += 1) await accept(number);
    expect(await jobs()).toHaveLength(10);
  });

  test.each([-HOUR_MS, -90_000, -5000])(
    'while Redis’s clock steps by %d ms · waits for what was left of its wait · and no longer',
    async (stepMs) => {
      const id = await tryInVain(1, 60_000);
      await deliveries.promote();
      await pass(20_000);
      await deliveries.promote();
      await pass(stepMs);
      expect((await deliveries.promote()).count).toBe(0);
      expect(await deliveries.waitMs(id)).toBe(40_000);
      await pass(40_000);
      expect((await deliveries.promote()).count).toBe(1);
    },
  );

  test('after such a step · keeps its place before others that are put off', async () => {
    const first = await tryInVain(1, 60_000);
    await pass(-HOUR_MS);
    const second = await tryInVain(2, 70_000);
    expect([await deliveries.waitMs(first), await deliveries.waitMs(second)]).toEqual([60_000, 70_000]);
    await pass(60_000);
    expect((await deliveries.promote()).count).toBe(1);
    expect(await jobs()).toEqual([first]);
  });

  test('while Redis’s clock steps forward · is tried sooner', async () => {
    const id = await tryInVain(1, 60_000);
    await pass(HOUR_MS);
    expect((await deliveries.promote()).count).toBe(1);
    expect(await jobs()).toEqual([id]);
  });

  test('that ended, or was forgotten · is put off no more', async () => {
    const [ended, gone] = [await tryInVain(1, 60_000), await tryInVain(2, 60_000)];
    const stored = await deliveries.load(ended);
    if (!stored) throw new Error('not stored');
    await deliveries.save(stored, { ...stored.delivery, status: 'dead' }, { now });
    await connection.del(keys.delivery(gone));
    await deliveries.forget(gone);
    expect(await connection.zcard(keys.putOff)).toBe(0);
  });

  test('for trouble that is not its own · gets its job after that', async () => {
    const { id } = await accept(1);
    await removeJob(redis.client, id);
    await deliveries.putOff(id, 5000);
    expect(await deliveries.sweep(now + HOUR_MS)).toBe(0);
    await pass(5000);
    expect((await deliveries.promote()).count).toBe(1);
    expect(await jobs()).toEqual([id]);
  });
});

test('a run from the future without a job · is swept as any other', async () => {
  const { id } = await accept(1, T + DAY_MS);
  await removeJob(redis.client, id);
  expect(await deliveries.sweep(now)).toBe(1);
  expect(await jobs()).toEqual([id]);
});
