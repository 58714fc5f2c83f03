// What the shared budget learns: from whose refusals, for how long, and what reads and writes leave to each other.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect, disconnect, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { asking, waitOf } from '../../support/hold.ts';
import { openTestBudget, type TestBudget } from '../../support/budget.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { scriptClock, setTime } from '../../support/redis-clock.ts';

const WINDOW_MS = 20_000;

let redis: TestRedis;
let clock: RedisConnection;
let budgets: TestBudget[];
let now: number;

beforeAll(async () => {
  redis = await startTestRedis();
  clock = connect(redis.config, 'work', () => undefined);
});
afterAll(async () => {
  await disconnect(clock);
  await redis.close();
});
beforeEach(async () => {
  await redis.client.flushall();
  budgets = [];
  now = Date.now();
  await setTime(clock, now);
});
afterEach(async () => {
  await Promise.all(budgets.map((budget) => budget.close()));
});

function openBudget(writesPer20s: number): TestBudget {
  const budget = openTestBudget(redis, { writesPer20s }, scriptClock);
  budgets.push(budget);
  return budget;
}

const pass = (ms: number) => setTime(clock, (now += ms));

/** Takes every slot of these kinds when it is due, for so long. @returns how many each got */
async function use(budget: TestBudget, kinds: ('write' | 'read')[], forMs: number) {
  const taken = { write: 0, read: 0 };
  for (const endAt = now + forMs; now < endAt;) {
    const answers = await Promise.all(kinds.map((kind) => budget.acquire(kind, asking())));
    answers.forEach(({ granted }, index) => (taken[kinds[index] ?? 'write'] += granted ? 1 : 0));
    if (answers.every(({ granted }) => !granted)) await pass(Math.min(...answers.map(waitOf)));
  }
  return taken;
}

describe('the pace', () => {
  test('of writes that Graph refuses · falls to what Graph took · for every worker', async () => {
    const [one, two] = [openBudget(100), openBudget(100)];
    expect((await one.state()).writesPer20s).toBe(100);
    await use(one, ['write'], 12_000);
    await one.throttle({ kind: 'write', isProbe: false, retryAfterMs: 8000, random: 0 });
    const { writesPer20s } = await two.state();
    expect(writesPer20s).toBeGreaterThan(59);
    expect(writesPer20s).toBeLessThan(67);
    await pass(7900);
    expect(await two.acquire('write', asking())).toMatchObject({ granted: false, reason: 'throttled' });
    await pass(100);
    expect(await two.acquire('write', asking())).toMatchObject({ granted: true });
    const next = await one.acquire('write', asking());
    expect(next).toMatchObject({ granted: false, reason: 'pace' });
    expect((next as { waitMs: number }).waitMs).toBe(Math.ceil(WINDOW_MS / writesPer20s));
  });

  test('of sixteen workers that ask all at once · is that of one · and a slot never used is only that slot', async () => {
    const workers = Array.from({ length: 16 }, () => openBudget(100));
    const grantedAt: number[] = [];
    for (const endAt = now + WINDOW_MS; now < endAt;) {
      const answers = await Promise.all(workers.map((budget) => budget.acquire('write', asking())));
      grantedAt.push(...answers.filter(({ granted }) => granted).map(() => now));
      await pass(Math.max(1, ...answers.map(waitOf)));
    }
    const gaps = grantedAt.slice(1).map((at, index) => at - (grantedAt[index] ?? 0));
    expect(grantedAt.length).toBeGreaterThanOrEqual(100);
    expect(grantedAt.length).toBeLessThanOrEqual(104);
    expect(Math.min(...gaps)).toBeGreaterThan(180);
    expect(Math.max(...gaps)).toBeLessThan(202);
  });

  test('where a read or a probe is refused · stays · and all wait nevertheless', async () => {
    const budget = openBudget(100);
    await use(budget, ['write'], 10_000);
    const before = (await budget.state()).writesPer20s;
    await budget.throttle({ kind: 'read', isProbe: false, retryAfterMs: 1000, random: 0 });
    await budget.throttle({ kind: 'write', isProbe: true, retryAfterMs: 1000, random: 0 });
    expect((await budget.state()).writesPer20s).toBe(before);
    expect(await budget.acquire('write', asking())).toMatchObject({ granted: false, reason: 'throttled' });
  });

  test('while every slot is used and none refused · grows', async () => {
    const budget = openBudget(100);
    await use(budget, ['write'], 60_000);
    expect((await budget.state()).writesPer20s).toBeGreaterThan(200);
  });

  test('learned before Redis crashed · is the pace afterwards · whatever start a later worker has', async () => {
    const budget = openBudget(100);
    await use(budget, ['write'], 10_000);
    await budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 10_000, random: 0 });
    const { writesPer20s } = await budget.state();
    await redis.kill();
    await redis.start();
    const later = openBudget(300);
    expect((await later.state()).writesPer20s).toBe(writesPer20s);
    await pass(10_000);
    expect(await later.acquire('write', asking())).toMatchObject({ granted: true });
    expect((await later.state()).writesPer20s).toBeCloseTo(writesPer20s, 1);
  });

  test('after twenty days without a write · is back at its start · at the one configured last', async () => {
    await use(openBudget(100), ['write'], 10_000);
    await pass(20 * 24 * 3_600_000);
    const later = openBudget(300);
    await later.acquire('write', asking());
    expect((await later.state()).writesPer20s).toBeCloseTo(300, 3);
  });

  test('when Redis’s clock is set back an hour · waits its Retry-After once more · and goes on', async () => {
    const budget = openBudget(100);
    await use(budget, ['write'], 10_000);
    await budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 5000, random: 0 });
    await pass(-3_600_000);
    expect(await budget.acquire('write', asking())).toEqual({ granted: false, waitMs: 5000, reason: 'throttled' });
    await pass(5000);
    expect((await use(budget, ['write'], WINDOW_MS)).write).toBeGreaterThan(40);
  });
});

describe('requests of any kind', () => {
  test('reads alone · have all of Graph’s documented limit · but for a margin', async () => {
    const { read } = await use(openBudget(100), ['read'], WINDOW_MS);
    expect(read).toBeGreaterThanOrEqual(980);
    expect(read).toBeLessThanOrEqual(981);
  });

  test('writes · are taken from what reads may have', async () => {
    const { write, read } = await use(openBudget(100), ['write', 'read'], WINDOW_MS);
    expect(write).toBeGreaterThanOrEqual(100);
    expect(write + read).toBeGreaterThan(970);
    expect(write + read).toBeLessThanOrEqual(982);
  });

  test.each([900, 1000])('writes at %d · leave room for reads · and both stay within the limit', async (writes) => {
    const { write, read } = await use(openBudget(writes), ['write', 'read'], WINDOW_MS);
    expect(write).toBeGreaterThanOrEqual(899);
    expect(read).toBeGreaterThan(70);
    expect(write + read).toBeLessThanOrEqual(982);
  });

  test('more writes configured than Graph documents requests of any kind · are given · and reads beside them', async () => {
    const { write, read } = await use(openBudget(5000), ['write', 'read'], 4000);
    expect(write).toBeGreaterThanOrEqual(1000);
    expect(read).toBeGreaterThan(70);
  });
});
