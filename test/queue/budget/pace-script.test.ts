// The pace in Redis is the pace in src/domain: any history, played to both, leaves the same numbers.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPace, learn, PACE_MEMBERS, type Pace } from '../../../src/domain/pace/pace.ts';
import { connect, disconnect, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { asking } from '../../support/hold.ts';
import { KEYS, openTestBudget } from '../../support/budget.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { scriptClock, setTime } from '../../support/redis-clock.ts';
import { fc } from '../../support/properties.ts';

const BEGIN = 1_790_000_000_000;
const BACKOFF = { baseMs: 2000, capMs: 300_000 };

let redis: TestRedis;
let clock: RedisConnection;

beforeAll(async () => {
  redis = await startTestRedis('--appendonly', 'no');
  clock = connect(redis.config, 'work', () => undefined);
});
afterAll(async () => {
  await disconnect(clock);
  await redis.close();
});

type Happening = { afterMs: number; retryAfterMs: number | null; random: number; refused: boolean };

/** After −1: when the next slot is due. Few are refused, and few of them for long, or hardly a slot would be given. */
const happening: fc.Arbitrary<Happening> = fc.record({
  afterMs: fc.oneof(
    { weight: 30, arbitrary: fc.constant(-1) },
    { weight: 6, arbitrary: fc.double({ min: 0, max: 5000, noNaN: true }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 200_000_000 }) },
  ),
  retryAfterMs: fc.oneof(
    { weight: 2, arbitrary: fc.constant(null) },
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 25_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 900_000 }) },
  ),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  refused: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

test('any history of slots and refusals · played to Redis and to the pure pace · leaves the same numbers', async () => {
  const played = { granted: 0, refused: 0 };
  const history = fc.array(happening, { minLength: 50, maxLength: 300, size: 'max' });
  const start = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(1, 950, 5000));
  await fc.assert(
    fc.asyncProperty(start, history, async (writesPer20s, happenings) => {
      await clock.del(KEYS.budget);
      const budget = openTestBudget(redis, { writesPer20s, backoff: BACKOFF }, scriptClock);
      let pace: Pace | null = null;
      let now = BEGIN;
      for (const { afterMs, retryAfterMs, random, refused } of happenings) {
        // A microsecond late: sums of fractions come out a hair before the slot.
        now = await setTime(clock, afterMs === -1 ? Math.max(now, (pace?.slotAt ?? now) + 0.001) : now + afterMs);
        pace ??= createPace(writesPer20s, now);
        if (refused) {
          await budget.throttle({ kind: 'write', isProbe: false, retryAfterMs, random });
          const throttles = Number(await clock.hget(KEYS.budget, 'throttles'));
          const backoffMs = random * Math.min(BACKOFF.capMs, BACKOFF.baseMs * 2 ** (throttles - 1));
          const announced = (retryAfterMs ?? -1) >= backoffMs;
          pace = learn(pace, { kind: 'throttled', waitMs: Math.max(retryAfterMs ?? 0, backoffMs), announced }, now);
          played.refused += 1;
        } else if ((await budget.acquire('write', asking())).granted) {
          pace = learn(pace, { kind: 'granted' }, now);
          played.granted += 1;
        } else continue;
        expectSame(await clock.hgetall(KEYS.budget), pace);
      }
      await budget.close();
    }),
    { seed: 4711, numRuns: 25 },
  );
  expect(played.granted).toBeGreaterThan(2000);
  expect(played.refused).toBeGreaterThan(200);
});

/** To a microsecond in instants, to nine digits in all else: powers are rounded differently. */
function expectSame(stored: Record<string, string>, pace: Pace): void {
  for (const member of PACE_MEMBERS) {
    const found = Number(stored[`pace.${member}`]);
    const tolerance = 1e-9 * Math.min(1_000_000, Math.max(1, Math.abs(pace[member])));
    expect(Math.abs(found - pace[member]), `${member}: ${found} instead of ${pace[member]}`).toBeLessThan(tolerance);
  }
}
