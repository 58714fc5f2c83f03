// The learned pace: what each event teaches, properties of any history, and what simulated workers use of hidden limits.
import { describe, expect, test } from 'vitest';
import { createPace, learn, PACE_MEMBERS, rate, type Pace, type PaceEvent } from '../../../src/domain/pace/pace.ts';
import {
  AGREES_WITHIN,
  FALL_TO,
  LARGEST_FALL_TO,
  LONE_FALL,
  LONGEST_LONE_WAIT_MS,
  LONGEST_RETURN_MS,
  MOVED_BY,
  NOISE,
  PROBE_MS,
  PROBE_STEP,
  REST_MS,
  RETURN_AFTER_MOVE_MS,
  RETURN_GROWTH,
  RETURN_MS,
  WINDOW_MS,
} from '../../../src/domain/pace/tuning.ts';
import { createRandom } from '../../../src/sandbox/random.ts';
import {
  fixedWindow,
  simulate,
  slidingWindow,
  slidingWindowInHundredths,
  steps,
  tokenBucket,
  withNoise,
  type Limiter,
} from '../../support/simulate-pace.ts';
import { fc } from '../../support/properties.ts';

const HOUR_MS = 3_600_000;
const begin = 1_790_000_000_000;

/** Takes every slot when it is due, or `lateMs` later, for so long. @returns the pace, and the instant reached */
function use(pace: Pace, forMs: number, lateMs = 0): { pace: Pace; now: number } {
  const until = pace.slotAt + forMs;
  let used = pace;
  while (used.slotAt < until) used = learn(used, { kind: 'granted' }, used.slotAt + lateMs);
  return { pace: used, now: until };
}

const announced = (waitMs: number): PaceEvent => ({ kind: 'throttled', waitMs, announced: true });
const guessed = (waitMs: number): PaceEvent => ({ kind: 'throttled', waitMs, announced: false });

/** A pace of 100 that met a limit before and probes beyond it: one refusal is an episode, with or without Retry-After. */
const probing = (): Pace => ({ ...createPace(100, begin), hasMetLimit: 1 });

/** A pace of 100 that has just had an episode, and the instant it began. */
function throttledOnce(event: PaceEvent): { pace: Pace; now: number } {
  const { pace, now } = use(probing(), 15_000);
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
    const { pace, now } = throttledOnce(announced(1000));
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

  test('well above the limit · measures the whole window · its announced wait included', () => {
    const { pace, now } = use(createPace(150, begin), 13_000);
    const after = learn(pace, announced(7000), now);
    expect(after.ceilingPer20s).toBeGreaterThan(98);
    expect(after.ceilingPer20s).toBeLessThan(109);
  });

  test('with a wait longer than a window · measures only what came before it', () => {
    const { pace, now } = use(createPace(100, begin), 20_000);
    expect(learn(pace, announced(60_000), now).ceilingPer20s).toBeGreaterThan(98);
  });

  test('refused again after a guessed wait · measures until then · and what Graph counted', () => {
    const { pace, now } = use(probing(), 12_000);
    const first = learn(pace, guessed(1000), now);
    expect(first.ceilingPer20s).toBeGreaterThan(96);
    const second = learn(learn(first, { kind: 'granted' }, now + 1000), guessed(4000), now + 1200);
    expect(second.ceilingPer20s).toBeLessThan(first.ceilingPer20s);
    const third = learn(learn(second, { kind: 'granted' }, now + 5200), guessed(1), now + 5400);
    expect(third.ceilingPer20s).toBeGreaterThan(66);
    expect(third.ceilingPer20s).toBeLessThan(72);
    expect(third.throttledAt).toBe(now);
  });

  test.each([announced(3000), guessed(3000)])(
    'its wait · is not counted to the next measurement · announced: $announced',
    (event) => {
      const first = throttledOnce(event);
      const { pace, now } = use(first.pace, WINDOW_MS);
      expect(learn(pace, announced(1000), now).ceilingPer20s).toBeGreaterThan(first.pace.ceilingPer20s * 0.97);
    },
  );

  test('measures the last 1.5 windows at most · what was taken long ago is forgotten', () => {
    const { pace, now } = use(createPace(100, begin), 60_000);
    expect(rate(learn(pace, announced(1000), now), now)).toBeGreaterThan(145);
  });

  test('measured almost nothing · falls, but no further than one episode may', () => {
    const { pace, now } = use(createPace(100, begin), 200);
    expect(learn(pace, announced(1000), now).ceilingPer20s).toBeGreaterThan(95);
    const hollow = { ...pace, olderSince: now - WINDOW_MS };
    expect(learn(hollow, announced(1000), now).ceilingPer20s).toBeCloseTo(100 * LARGEST_FALL_TO, 2);
  });

  /** A pace of 100 that returned as slowly as given, refused at its ceiling having measured a share of it. */
  function measured(share: number, returnMs: number): Pace {
    const { pace, now } = use({ ...createPace(100, begin), grownMs: 0, returnMs }, 16_000);
    const olderSince = now - (pace.olderWrites - 1) * (WINDOW_MS / 100 / share);
    return learn({ ...pace, olderSince }, announced(0), now);
  }

  test('ceiling where it was · returns a little more slowly each time · up to the longest', () => {
    expect(measured(1, RETURN_AFTER_MOVE_MS).returnMs).toBe(RETURN_MS);
    expect(measured(1, RETURN_MS).returnMs).toBeCloseTo(RETURN_MS * RETURN_GROWTH, 6);
    expect(measured(1, LONGEST_RETURN_MS).returnMs).toBe(LONGEST_RETURN_MS);
  });

  test('ceiling elsewhere · is taken as measured · and probed soon', () => {
    const moved = measured(1 - MOVED_BY - 0.01, LONGEST_RETURN_MS);
    expect(moved.returnMs).toBe(RETURN_AFTER_MOVE_MS);
    expect(moved.ceilingPer20s).toBeCloseTo(100 * (1 - MOVED_BY - 0.01), 6);
  });

  test('measured about where it was · settles between old and new', () => {
    expect(measured(1 - AGREES_WITHIN / 1.1, RETURN_MS).ceilingPer20s).toBeCloseTo(100 * (1 - AGREES_WITHIN / 2.2), 6);
    expect(measured(1 - AGREES_WITHIN * 1.1, RETURN_MS).ceilingPer20s).toBeCloseTo(100 * (1 - AGREES_WITHIN * 1.1), 6);
  });

  test('makes everyone wait · and no later refusal shortens that', () => {
    const { pace, now } = throttledOnce(announced(5000));
    expect(pace.resumeAt).toBe(now + 5000);
    const again = learn(pace, announced(1000), now + 100);
    expect([again.resumeAt, again.slotAt]).toEqual([now + 5000, now + 5000]);
    expect(learn(pace, announced(9000), now + 100).slotAt).toBe(now + 9100);
  });

  test.each([announced(500), guessed(500)])(
    'refusals of requests on their way · take off no more than themselves',
    (event) => {
      const { pace, now } = throttledOnce(event);
      let later = pace;
      for (const ms of [0, 40, 300]) later = learn(later, event, now + ms);
      expect(later.episodeWrites).toBe(pace.episodeWrites - 3);
      expect(later.ceilingPer20s).toBeLessThanOrEqual(pace.ceilingPer20s);
      expect(later.ceilingPer20s).toBeGreaterThan(pace.ceilingPer20s * (1 - 3 / pace.episodeWrites) * 0.97);
    },
  );

  test('refused within a window, or while waiting longer than that · the same episode · later · another', () => {
    const short = throttledOnce(guessed(500));
    const long = throttledOnce(announced(30_000));
    const began = ({ pace, now }: typeof short, afterMs: number) => {
      const used = pace.resumeAt < now + afterMs ? use(pace, now + afterMs - pace.slotAt).pace : pace;
      return learn(used, announced(1), now + afterMs).throttledAt - now;
    };
    expect([began(short, WINDOW_MS - 1), began(short, WINDOW_MS)]).toEqual([0, WINDOW_MS]);
    expect([began(long, 29_999), began(long, 32_000)]).toEqual([0, 32_000]);
  });

  test('refused for longer than a window, nothing taken in between · the same episode · of a longer window', () => {
    const { pace: short, now } = throttledOnce(guessed(500));
    const pace = learn(short, guessed(25_000), now);
    const later = learn(learn(pace, { kind: 'granted' }, now + 25_000), guessed(5000), now + 25_000);
    expect(later.throttledAt).toBe(now);
    expect(later.windowMs).toBe(60_000);
    expect(rate(later, now + 30_000)).toBeLessThan(rate(pace, now) * 0.7);
  });

  test('the first refused write · was not taken', () => {
    const { pace, now } = use(createPace(100, begin), 15_000);
    expect(learn(pace, announced(1000), now).episodeWrites).toBe(pace.olderWrites - 1);
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

describe('a lone refusal without Retry-After', () => {
  /** A pace that met its limit, and is on its way back to it. */
  const returning = () => use(throttledOnce(guessed(500)).pace, 40_000);

  test('everyone waits as long as for any · the pace falls a little · and goes on returning', () => {
    const { pace, now } = returning();
    const after = learn(pace, guessed(700), now);
    expect(after.slotAt).toBe(now + 700);
    expect(after.ceilingPer20s).toBeCloseTo(pace.ceilingPer20s * (1 - LONE_FALL), 9);
    expect([after.grownMs, after.throttledAt]).toEqual([pace.grownMs, pace.throttledAt]);
  });

  test('refused again at the next try · is an episode · that began with the first', () => {
    const { pace, now } = returning();
    const first = learn(pace, guessed(700), now);
    const second = learn(learn(first, { kind: 'granted' }, now + 700), guessed(700), now + 710);
    expect([second.throttledAt, second.grownMs]).toEqual([now, 0]);
  });

  test('the third of some thirty · is an episode · the second is not', () => {
    const { pace, now } = returning();
    const first = use(learn(pace, guessed(300), now), 3000);
    const second = learn(first.pace, guessed(300), first.now);
    expect(second.grownMs).toBeGreaterThan(0);
    const later = use(second, 3000);
    const third = learn(later.pace, guessed(300), later.now);
    expect([third.throttledAt, third.grownMs]).toEqual([later.now, 0]);
  });

  test('with Retry-After · is believed · until it is proven noise', () => {
    const { pace, now } = returning();
    expect(learn(pace, announced(1000), now).throttledAt).toBe(now);
    const proven = { ...pace, noise: NOISE };
    expect(learn(proven, announced(1000), now).throttledAt).toBe(pace.throttledAt);
    expect(learn(proven, announced(LONGEST_LONE_WAIT_MS + 1), now).throttledAt).toBe(now);
  });

  test('an episode that says little against the proof · leaves it · one far below voids it, and the belief in noise', () => {
    const { pace, now } = returning();
    const noisy = { ...pace, noise: NOISE, provenPer20s: pace.ceilingPer20s, triedWrites: 1 };
    const kept = learn({ ...noisy, heat: 5, triedWrites: 9 }, guessed(300), now);
    expect([kept.throttledAt, kept.provenPer20s > 0, kept.noise >= NOISE]).toEqual([now, true, true]);
    const moved = learn({ ...noisy, olderSince: now - 40_000 }, guessed(300), now);
    expect([moved.throttledAt, moved.provenPer20s, moved.noise]).toEqual([now, 0, 0]);
  });

  test('before any limit was met · stops no probe', () => {
    const { pace, now } = use(createPace(50, begin), 30_000);
    const after = learn(pace, guessed(700), now);
    expect(rate(after, now)).toBe(rate(pace, now));
    expect(after.hasMetLimit).toBe(0);
  });

  test('again and again where more was proven · is noise · and the ceiling goes back to the proof', () => {
    let { pace, now } = returning();
    pace = { ...pace, provenPer20s: pace.ceilingPer20s * 1.02 };
    const refused = [0, 1].map(() => {
      pace = learn(pace, guessed(300), now);
      ({ pace, now } = use(pace, 25_000));
      return pace;
    });
    expect(refused.map(({ noise }) => noise >= NOISE)).toEqual([false, true]);
    expect(refused[1]?.ceilingPer20s).toBeCloseTo(refused[1]?.provenPer20s ?? 0, 9);
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
    const reduced = rate(learn(pace, announced(1000), now), now);
    expect(reduced).toBeLessThan(100);
    expect(reduced).toBeGreaterThan(94);
  });

  test('a refusal that comes late · the silence before it is no evidence', () => {
    const { pace, now } = use(createPace(100, begin), 5000);
    expect(learn(pace, announced(1000), now + 30_000).ceilingPer20s).toBeGreaterThan(90);
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

  test('for long, in the middle of a probe · what was reached is kept · the probe starts over', () => {
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
          announced: fc.boolean(),
        }),
      },
    ),
  });
  const start = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(1, 1_000_000));

  /** Plays a history; −1 means when the next slot is due. */
  function play(
    startPer20s: number,
    history: Happening[],
    see: (before: Pace, after: Pace, now: number, event: PaceEvent) => void,
  ): void {
    let pace = createPace(startPer20s, begin);
    let now = begin;
    for (const { afterMs, event } of history) {
      now = afterMs === -1 ? Math.max(now, pace.slotAt) : now + afterMs;
      const after = learn(pace, event, now);
      see(pace, after, now, event);
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
      play(startPer20s, history, (before, after, now, event) => {
        if (event.kind === 'throttled') return;
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

/** Simulated for two hours each, from half, double and 100; the first three minutes of a steady limit do not count. */
describe('simulated workers', () => {
  const LIMITERS: Record<string, (seed: number) => Limiter> = {
    'a fixed window': (seed) => fixedWindow(createRandom(seed)() * WINDOW_MS),
    'a sliding window': () => slidingWindow(),
    'a sliding window in hundredths': slidingWindowInHundredths,
    'a token bucket': () => tokenBucket(1),
    'a small token bucket': () => tokenBucket(0.25),
  };
  const SEEDS = [1, 2, 3, 4, 5, 6];
  const steady = { durationMs: 2 * HOUR_MS, countFromMs: 180_000 };
  const stepped = { limitAt: steps, startPer20s: 100, durationMs: 2 * HOUR_MS, countFromMs: 0 };
  const cells = Object.keys(LIMITERS).flatMap((name) =>
    ['with Retry-After', 'without Retry-After'].map((answer) => [name, answer] as const),
  );

  test.each(cells)('%s · %s · used 0.97 of a steady limit, 0.9 in steps · refused less than 0.01', (name, answer) => {
    const limiter = LIMITERS[name] ?? (() => slidingWindow());
    const retryAfter = answer === 'with Retry-After';
    for (const seed of SEEDS) {
      for (const limit of [60, 100, 200]) {
        const startPer20s = [limit / 2, limit * 2, 100][seed % 3] ?? 100;
        const outcome = simulate({
          ...steady,
          limiter: limiter(seed),
          limitAt: () => limit,
          startPer20s,
          retryAfter,
          seed,
        });
        expect(outcome.used, `limit ${limit} from ${startPer20s}, seed ${seed}`).toBeGreaterThanOrEqual(0.97);
        expect(outcome.refused, `limit ${limit} from ${startPer20s}, seed ${seed}`).toBeLessThan(0.01);
      }
      const outcome = simulate({ ...stepped, limiter: limiter(seed), retryAfter, seed });
      expect(outcome.used, `steps, seed ${seed}`).toBeGreaterThanOrEqual(0.9);
      expect(outcome.refused, `steps, seed ${seed}`).toBeLessThan(0.01);
    }
  });

  type Cell = { used: number; refused: number };
  /** The mean of some seeds, from half, double and the same, seven minutes after the first three; answers take 8 ms. */
  function shortly(limiter: (seed: number) => Limiter, retryAfter: boolean, starts = [50, 200, 100]): Cell {
    const outcomes = SEEDS.flatMap((seed) =>
      starts.map((startPer20s) =>
        simulate({
          limiter: limiter(seed),
          limitAt: () => 100,
          startPer20s,
          retryAfter,
          seed,
          durationMs: 600_000,
          countFromMs: 180_000,
          medianLatencyMs: 8,
        }),
      ),
    );
    const mean = (of: (outcome: Cell) => number) =>
      outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length;
    return { used: mean(({ used }) => used), refused: mean(({ refused }) => refused) };
  }

  const WINDOWS = [1, 5, 20, 40, 60].flatMap((seconds) =>
    ['fixed', 'sliding'].flatMap((kind) =>
      ['with Retry-After', 'without Retry-After'].map((answer) => [kind, seconds, answer] as const),
    ),
  );
  test.each(WINDOWS)(
    'a %s window of %i s nobody knows of · %s · use it, and are refused less than 0.01',
    (kind, seconds, answer) => {
      const windowMs = seconds * 1000;
      const limiter = (seed: number) =>
        kind === 'fixed' ? fixedWindow(createRandom(seed)() * windowMs, windowMs) : slidingWindow(windowMs);
      const outcome = shortly(limiter, answer === 'with Retry-After');
      // In the smallest sliding window five writes jitter; a pace is as good there after an hour.
      expect(outcome.used).toBeGreaterThanOrEqual(kind === 'sliding' && seconds === 1 ? 0.94 : 0.95);
      expect(outcome.refused).toBeLessThan(0.01);
    },
  );

  test.each(['a fixed window', 'a sliding window', 'a token bucket'])(
    '%s, and one in a hundred refused at random · use nine tenths of it from wherever they start',
    (name) => {
      const limiter = LIMITERS[name] ?? (() => slidingWindow());
      const noisy = (seed: number) => withNoise(limiter(seed), 0.01, createRandom(seed * 77 + 5));
      const outcome = shortly(noisy, false);
      expect(outcome.used).toBeGreaterThanOrEqual(0.9);
    },
  );

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
