// The learned pace: what each event teaches, properties of any history, and what simulated workers use of hidden limits.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPace, learn, PACE_MEMBERS, rate, type Pace, type PaceEvent } from '../../src/domain/pace.ts';
import {
  FALL_TO,
  IN_FLIGHT_MS,
  LARGEST_FALL_TO,
  PROBE_MS,
  PROBE_STEP,
  REST_MS,
  RETURN_AFTER_MOVE_MS,
  RETURN_MS,
  RETURN_WRITES,
  WAITED_TOO_SHORT_MS,
  WINDOW_MS,
} from '../../src/domain/pace-tuning.ts';
import {
  createRandom,
  fixedWindow,
  simulate,
  slidingWindow,
  steps,
  tokenBucket,
  type Limiter,
} from '../support/simulate-pace.ts';

const HOUR_MS = 3_600_000;
const begin = 1_790_000_000_000;

/** Takes every slot when it is due, or `lateMs` later, for so long. @returns the pace, and the instant reached */
function use(pace: Pace, forMs: number, lateMs = 0): { pace: Pace; now: number } {
  const until = pace.slotAt + forMs;
  let used = pace;
  while (used.slotAt < until) used = learn(used, { kind: 'granted' }, used.slotAt + lateMs);
  return { pace: used, now: until };
}

const told = (waitMs: number): PaceEvent => ({ kind: 'throttled', waitMs, told: true });
const guessed = (waitMs: number): PaceEvent => ({ kind: 'throttled', waitMs, told: false });

/** A pace of 100 that has just had an episode, and the instant it began. */
function throttledOnce(event: PaceEvent): { pace: Pace; now: number } {
  const { pace, now } = use(createPace(100, begin), 15_000);
  return { pace: learn(pace, event, now), now };
}

describe('a new pace', () => {
  test('starts as configured · and spaces slots evenly', () => {
    const pace = createPace(80, begin);
    expect(rate(pace, begin)).toBe(80);
    expect(learn(pace, { kind: 'granted' }, begin).slotAt).toBe(begin + 250);
  });

  test('while every slot is used · probes convexly at once', () => {
    const at = [20_000, 40_000, 60_000].map((ms) => rate(use(createPace(100, begin), ms).pace, begin + ms));
    const cubic = [20_000, 40_000, 60_000].map((ms) => 100 * (1 + PROBE_STEP * (ms / PROBE_MS) ** 3));
    at.forEach((reached, index) => expect(reached).toBeCloseTo(cubic[index] ?? 0, -1));
    expect(at[0]).toBeGreaterThan(103);
    expect(at[2]).toBeGreaterThan(200);
  });

  test('never refused · ends at ten times its start', () => {
    const { pace, now } = use(createPace(2, begin), 600_000);
    expect(rate(pace, now)).toBe(20);
  });
});

describe('an episode', () => {
  test('at the measured rate · falls just under it · returns to it · then probes', () => {
    const { pace, now } = throttledOnce(told(1000));
    const { ceilingPer20s, returnMs } = pace;
    expect(ceilingPer20s).toBeCloseTo(100, -0.5);
    expect(rate(pace, now)).toBeCloseTo(ceilingPer20s * FALL_TO, 9);
    const back = use(pace, returnMs);
    expect(rate(back.pace, back.now)).toBeCloseTo(ceilingPer20s, 2);
    const halfWay = use(pace, returnMs / 2);
    expect(rate(halfWay.pace, halfWay.now) / ceilingPer20s).toBeCloseTo(1 - (1 - FALL_TO) / 8, 4);
    const beyond = use(pace, returnMs + PROBE_MS);
    expect(rate(beyond.pace, beyond.now) / ceilingPer20s).toBeCloseTo(1 + PROBE_STEP, 2);
  });

  test('well above the limit · measures the whole window · its told wait included', () => {
    const { pace, now } = use(createPace(150, begin), 13_000);
    const after = learn(pace, told(7000), now);
    expect(after.ceilingPer20s).toBeGreaterThan(98);
    expect(after.ceilingPer20s).toBeLessThan(109);
  });

  test('with a wait longer than a window · measures only what came before it', () => {
    const { pace, now } = use(createPace(100, begin), 20_000);
    expect(learn(pace, told(60_000), now).ceilingPer20s).toBeGreaterThan(98);
  });

  test('a guessed wait · counts to the next measurement, not to this one', () => {
    const first = throttledOnce(guessed(3000));
    expect(first.pace.ceilingPer20s).toBeGreaterThan(98);
    const { pace } = use(first.pace, 12_000);
    const second = learn(pace, guessed(1000), first.now + 15_000);
    expect(second.ceilingPer20s).toBeGreaterThan(76);
    expect(second.ceilingPer20s).toBeLessThan(82);
  });

  test('a told wait · is not counted to the next measurement', () => {
    const first = throttledOnce(told(3000));
    const { pace } = use(first.pace, 9000);
    expect(learn(pace, told(1000), first.now + 12_000).ceilingPer20s).toBeGreaterThan(first.pace.ceilingPer20s * 0.95);
  });

  test('measures two windows at most · what was taken long ago is forgotten', () => {
    const { pace, now } = use(createPace(100, begin), 60_000);
    expect(rate(learn(pace, told(1000), now), now)).toBeGreaterThan(130);
  });

  test('measured almost nothing · falls, but no further than one episode may', () => {
    const { pace, now } = use(createPace(100, begin), 200);
    expect(learn(pace, told(1000), now).ceilingPer20s).toBeGreaterThan(95);
    const hollow = { ...pace, olderSince: now - WINDOW_MS };
    expect(learn(hollow, told(1000), now).ceilingPer20s).toBeCloseTo(100 * LARGEST_FALL_TO, 2);
  });

  test('ceiling where it was · return slowly, and by writes where they are few · elsewhere · soon', () => {
    const returns = (start: number, forMs: number) => {
      const { pace, now } = use(createPace(start, begin), 15_000);
      return learn({ ...pace, olderSince: now - forMs }, told(0), now).returnMs;
    };
    expect(returns(200, 15_000)).toBe(RETURN_MS);
    expect(returns(20, 15_000)).toBeGreaterThan(RETURN_WRITES * 1000 * 0.97);
    expect(returns(100, 19_000)).toBe(RETURN_AFTER_MOVE_MS);
  });

  test('makes everyone wait · and no later refusal shortens that', () => {
    const { pace, now } = throttledOnce(told(5000));
    expect(pace.resumeAt).toBe(now + 5000);
    const again = learn(pace, told(1000), now + 100);
    expect([again.resumeAt, again.slotAt]).toEqual([now + 5000, now + 5000]);
    expect(learn(pace, told(9000), now + 100).slotAt).toBe(now + 9100);
  });

  test('refusals of requests on their way · reduce once', () => {
    for (const event of [told(500), guessed(500)]) {
      const { pace, now } = throttledOnce(event);
      const reduced = rate(pace, now);
      let later = pace;
      for (const ms of [0, 40, 300, IN_FLIGHT_MS - 1]) {
        later = learn(later, event, now + ms);
        expect(rate(later, now + ms)).toBe(reduced);
      }
      expect(rate(learn(pace, event, now + IN_FLIGHT_MS), now + IN_FLIGHT_MS)).toBeLessThan(reduced);
    }
  });

  test('refused while waiting, or at once after the wait · the same episode', () => {
    const { pace, now } = throttledOnce(guessed(9000));
    const reduced = rate(pace, now);
    for (const ms of [8999, 9000 + WAITED_TOO_SHORT_MS - 1])
      expect(rate(learn(pace, guessed(1), now + ms), now + ms)).toBe(reduced);
    const later = now + 9000 + WAITED_TOO_SHORT_MS;
    expect(rate(learn(pace, guessed(1), later), later)).toBeLessThan(reduced);
  });

  test('refused while waiting longer than a window · still the same episode', () => {
    const { pace, now } = throttledOnce(told(30_000));
    expect(rate(learn(pace, told(1), now + 29_999), now + 29_999)).toBe(rate(pace, now));
  });

  test('a refused write · was not taken', () => {
    const first = throttledOnce(guessed(500));
    const { pace } = use(first.pace, 900);
    const { recentWrites, olderWrites } = learn(pace, guessed(500), first.now + 1400);
    expect([recentWrites, olderWrites]).toEqual([pace.recentWrites - 1, pace.olderWrites - 1]);
    expect(recentWrites).toBeGreaterThan(2);
  });

  test('no wait at all · the next slot is not due sooner', () => {
    const pace = learn(createPace(100, begin), { kind: 'granted' }, begin);
    expect(learn(pace, guessed(0), begin).slotAt).toBe(pace.slotAt);
  });

  test('waits that are always too short · a new episode after a window', () => {
    const { pace, now } = throttledOnce(guessed(WINDOW_MS - 500));
    const reduced = rate(pace, now);
    expect(rate(learn(pace, guessed(1), now + WINDOW_MS), now + WINDOW_MS)).toBeLessThan(reduced);
  });
});

describe('slots nobody wanted', () => {
  test('half of them used · neither grows', () => {
    let pace = createPace(100, begin);
    for (let now = begin; now < begin + 1_200_000; now += 600) pace = learn(pace, { kind: 'granted' }, now);
    expect(rate(pace, begin + 1_200_000)).toBeCloseTo(100, 0);
  });

  test('half of them used, then refused · nor is it evidence', () => {
    let pace = createPace(100, begin);
    let now = begin;
    for (; now < begin + 60_000; now += 1000) pace = learn(pace, { kind: 'granted' }, now);
    const reduced = rate(learn(pace, told(1000), now), now);
    expect(reduced).toBeLessThan(100);
    expect(reduced).toBeGreaterThan(94);
  });

  test('a refusal that comes late · the silence before it is no evidence', () => {
    const { pace, now } = use(createPace(100, begin), 5000);
    expect(learn(pace, told(1000), now + 30_000).ceilingPer20s).toBeGreaterThan(90);
  });

  test('a little late · is made up for and grows as ever', () => {
    const [punctual, late] = [0, 250].map((lateMs) => use(createPace(200, begin), 30_000, lateMs).pace);
    expect(late?.grownMs).toBe(punctual?.grownMs);
    expect(late?.slotAt).toBe(punctual?.slotAt);
  });

  test('used again after a pause in the work · grows after one window of full use', () => {
    const idle = learn(createPace(100, begin), { kind: 'granted' }, begin + 30_000);
    const grown = idle.grownMs;
    const window = use(idle, WINDOW_MS - 400).pace;
    expect(window.grownMs).toBe(grown);
    expect(use(window, 2000).pace.grownMs).toBeGreaterThan(grown + 1000);
  });

  test('for long · what was learned halves towards the start', () => {
    for (const learned of [400, 25]) {
      const pace = { ...createPace(100, begin), ceilingPer20s: learned };
      const after = (ms: number) => rate(pace, begin + ms);
      expect(after(REST_MS - 1)).toBe(learned);
      expect(after(REST_MS * 10) / learned).toBeCloseTo(1, 1);
      expect(after(12 * HOUR_MS)).toBeCloseTo(100 * Math.sqrt(learned / 100), 9);
      expect(after(12 * HOUR_MS * 40)).toBeCloseTo(100, 6);
      const next = learn(pace, { kind: 'granted' }, begin + 12 * HOUR_MS);
      expect(rate(next, begin + 12 * HOUR_MS)).toBeCloseTo(after(12 * HOUR_MS), 9);
    }
  });

  test('for long, in the middle of a probe · what was reached is kept · the probe begins anew', () => {
    const { pace, now } = use(createPace(100, begin), 50_000);
    const rested = learn(pace, { kind: 'granted' }, now + REST_MS + 1000);
    expect(rested.ceilingPer20s / rate(pace, now)).toBeCloseTo(1, 1);
    expect(rested.grownMs).toBe(rested.returnMs);
  });
});

describe('any history', () => {
  type Happening = { afterMs: number; event: PaceEvent };
  const happening: fc.Arbitrary<Happening> = fc.record({
    afterMs: fc.oneof(
      { weight: 6, arbitrary: fc.constant(-1) },
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 5000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -10_000, max: 1_000_000_000 }) },
    ),
    event: fc.oneof(
      { weight: 4, arbitrary: fc.constant<PaceEvent>({ kind: 'granted' }) },
      {
        weight: 1,
        arbitrary: fc.record<PaceEvent & { kind: 'throttled' }>({
          kind: fc.constant('throttled'),
          waitMs: fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 2_000_000_000 })),
          told: fc.boolean(),
        }),
      },
    ),
  });
  const start = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(1, 1_000_000));

  /** Plays a history; −1 means when the next slot is due. */
  function play(
    startPer20s: number,
    history: Happening[],
    see: (before: Pace, after: Pace, now: number) => void,
  ): void {
    let pace = createPace(startPer20s, begin);
    let now = begin;
    for (const { afterMs, event } of history) {
      now = afterMs === -1 ? Math.max(now, pace.slotAt) : now + afterMs;
      const after = learn(pace, event, now);
      see(pace, after, now);
      pace = after;
    }
  }
  const always = (property: (startPer20s: number, history: Happening[]) => void) => {
    fc.assert(fc.property(start, fc.array(happening, { maxLength: 200 }), property), { seed: 20_260, numRuns: 300 });
  };

  test('a pace is a record of finite numbers · between one write and ten times the start', () => {
    always((startPer20s, history) => {
      play(startPer20s, history, (_, after, now) => {
        expect(Object.values(after).every((value) => Number.isFinite(value))).toBe(true);
        expect(rate(after, now)).toBeGreaterThanOrEqual(1);
        expect(rate(after, now)).toBeLessThanOrEqual(startPer20s * 10);
        expect(after.slotAt).toBeGreaterThanOrEqual(after.resumeAt);
      });
    });
  });

  test('a refusal · never raises the pace · and lowers it by an episode at most', () => {
    always((startPer20s, history) => {
      play(startPer20s, history, (before, after, now) => {
        if (after.resumeAt === before.resumeAt) return;
        const ratio = rate(after, now) / rate(before, now);
        expect(ratio).toBeLessThanOrEqual(1 + 1e-12);
        expect(ratio).toBeGreaterThanOrEqual(LARGEST_FALL_TO * FALL_TO - 1e-12);
      });
    });
  });

  test('a slot taken · never lowers the pace · and raises it by no more than its own time on the curve', () => {
    always((startPer20s, history) => {
      play(startPer20s, history, (before, after, now) => {
        if (after.throttledAt !== before.throttledAt || after.slotAt === before.slotAt) return;
        expect(rate(after, now)).toBeGreaterThanOrEqual(rate(before, now) * (1 - 1e-12));
        expect(after.grownMs - before.grownMs).toBeLessThanOrEqual(WINDOW_MS / rate(before, now) + 1e-6);
      });
    });
  });

  test('through JSON · goes on exactly as before', () => {
    always((startPer20s, history) => {
      play(startPer20s, history, (_, after) => {
        expect(JSON.parse(JSON.stringify(after))).toEqual(after);
        expect(Object.keys(after).sort()).toEqual([...PACE_MEMBERS].sort());
      });
    });
  });

  test('deciding · changes nothing it was given', () => {
    always((startPer20s, history) => {
      const frozen = Object.freeze(createPace(startPer20s, begin));
      for (const { event } of history) expect(learn(frozen, event, begin + 500)).not.toBe(frozen);
    });
  });
});

/** Simulated for two hours each, from a start of half and of double the limit; the first three minutes do not count. */
describe('simulated workers', () => {
  const LIMITERS: Record<string, (seed: number) => Limiter> = {
    'a fixed window': (seed) => fixedWindow(createRandom(seed)() * WINDOW_MS),
    'a sliding window': slidingWindow,
    'a token bucket': () => tokenBucket(1),
    'a small token bucket': () => tokenBucket(0.25),
  };
  const steady = { durationMs: 2 * HOUR_MS, countFromMs: 180_000 };
  const stepped = { limitAt: steps, startPer20s: 100, durationMs: 2 * HOUR_MS, countFromMs: 0 };

  type Row = [limiter: string, told: string, used: number, steppedUsed: number, steppedRefused: number];
  const TABLE: Row[] = [
    ['a fixed window', 'told when to come back', 0.97, 0.9, 0.01],
    ['a sliding window', 'told when to come back', 0.968, 0.9, 0.01],
    ['a token bucket', 'told when to come back', 0.97, 0.9, 0.008],
    ['a small token bucket', 'told when to come back', 0.97, 0.9, 0.008],
    ['a fixed window', 'told nothing', 0.97, 0.9, 0.012],
    ['a sliding window', 'told nothing', 0.96, 0.88, 0.01],
    ['a token bucket', 'told nothing', 0.97, 0.9, 0.01],
    ['a small token bucket', 'told nothing', 0.97, 0.9, 0.01],
  ];

  test.each(TABLE)('%s · %s · used %d · in steps %d', (name, told, used, steppedUsed, steppedRefused) => {
    const limiter = LIMITERS[name] ?? slidingWindow;
    const retryAfter = told !== 'told nothing';
    for (const seed of [1, 2, 3]) {
      for (const limit of [60, 100, 200]) {
        for (const startPer20s of [limit / 2, limit * 2]) {
          const outcome = simulate({
            ...steady,
            limiter: limiter(seed),
            limitAt: () => limit,
            startPer20s,
            retryAfter,
            seed,
          });
          expect(outcome.used, `limit ${limit} from ${startPer20s}, seed ${seed}`).toBeGreaterThanOrEqual(used);
          expect(outcome.refused, `limit ${limit} from ${startPer20s}, seed ${seed}`).toBeLessThan(0.01);
        }
      }
      const outcome = simulate({ ...stepped, limiter: limiter(seed), retryAfter, seed });
      expect(outcome.used, `steps, seed ${seed}`).toBeGreaterThanOrEqual(steppedUsed);
      expect(outcome.refused, `steps, seed ${seed}`).toBeLessThan(steppedRefused);
    }
  });

  test('with work for half the limit · are never refused · and never hurried', () => {
    const outcome = simulate({
      ...steady,
      limiter: slidingWindow(),
      limitAt: () => 100,
      startPer20s: 100,
      retryAfter: true,
      seed: 1,
      wantedAt: (now) => now + 400,
    });
    expect(outcome.sent).toBeGreaterThan(16_000);
    expect(outcome.refused).toBe(0);
    expect(outcome.fastest).toBeLessThan(101);
  });

  test('too few for the limit · do not raise the pace beyond what they can use', () => {
    const outcome = simulate({
      ...steady,
      limiter: slidingWindow(),
      limitAt: () => 400,
      startPer20s: 100,
      retryAfter: true,
      seed: 1,
      workers: 1,
    });
    expect(outcome.fastest).toBeLessThan(125);
  });
});
