// Redis's clock as a process knows it: followed where it steps, kept while Redis is slow or away, wary after sleep.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openRedisClock, type RedisClock } from '../../../src/queue/redis/clock.ts';
import { connect, disconnect, waitUntilReady, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { scriptClock, setTime } from '../../support/redis-clock.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const T = Date.UTC(2026, 10, 23, 10);
const HOUR_MS = 3_600_000;

let redis: TestRedis;
let connection: RedisConnection;
let machine: { elapsed: number; wall: number };
let clock: RedisClock;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());
beforeEach(async () => {
  connection = connect(redis.config, 'work', () => undefined);
  await waitUntilReady(connection);
  scriptClock(connection);
  await setTime(connection, T);
  machine = { elapsed: 5000, wall: T + 240_000 };
  clock = await openRedisClock(connection, 'key', { elapsed: () => machine.elapsed, wall: () => machine.wall });
});
afterEach(async () => {
  clock.close();
  await disconnect(connection);
});

/** All of the machine's clocks go on; what Redis's shows is the test's business. */
function pass(ms: number): void {
  machine.elapsed += ms;
  machine.wall += ms;
}

describe('the machine’s own clock', () => {
  test('minutes ahead · counts for nothing', () => {
    expect(clock.now()).toBe(T);
    pass(700);
    expect(clock.now()).toBe(T + 700);
  });

  test.each([-HOUR_MS, HOUR_MS, 86_400_000])('stepping by %d ms · changes nothing', (stepMs) => {
    machine.wall += stepMs;
    pass(200);
    expect(clock.now()).toBe(T + 200);
  });

  test('ahead of what passed, as after sleep · is the latest it can be · until Redis was asked again', async () => {
    pass(300);
    expect(clock.latest()).toBe(T + 300);
    machine.wall += 90_000;
    expect(clock.now()).toBe(T + 300);
    expect(clock.latest()).toBe(T + 90_300);
    await setTime(connection, T + 90_400);
    await until('Redis was asked again', () => clock.now() === T + 90_400, 5000);
    expect(clock.latest()).toBe(T + 90_400);
  });

  test('stepped back · does not make it any earlier', () => {
    machine.wall -= HOUR_MS;
    pass(300);
    expect(clock.latest()).toBe(T + 300);
  });
});

describe('Redis’s clock', () => {
  test.each([-HOUR_MS, 300_000])('stepping by %d ms · is followed', async (stepMs) => {
    await setTime(connection, T + stepMs);
    await until('it is followed', () => clock.now() === T + stepMs, 5000);
  });

  test('behind a connection that is cut and comes back to another Redis · is asked at once', async () => {
    await setTime(connection, T - 120_000);
    connection.disconnect(true);
    await until('it is followed', () => clock.now() === T - 120_000, 5000);
  });
});

test('a Redis that is not there at first · leaves the machine’s clock · until it answers', async () => {
  const lonely = connect({ kind: 'embedded', directory: '/nonexistent', prefix: 'x' }, 'work', () => undefined);
  const unasked = await openRedisClock(lonely, 'key', { elapsed: () => 1, wall: () => 77 });
  expect([unasked.now(), unasked.latest()]).toEqual([77, 77]);
  unasked.close();
  lonely.disconnect();
});
