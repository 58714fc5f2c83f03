// A learned pace for Graph writes: state + event + now → state. Falls below the rate Graph took, returns to it, probes beyond.
import { anyPer20s, WRITES_OF_ANY } from './any-limit.ts';
import {
  FALL_TO,
  FORGET_HALF_LIFE_MS,
  IN_FLIGHT_MS,
  LARGEST_FALL_TO,
  LATENESS_MS,
  LEAST_PER_20S,
  MOST_TIMES_START,
  MOVED_BY,
  PROBE_MS,
  PROBE_STEP,
  REST_MS,
  RETURN_AFTER_MOVE_MS,
  RETURN_MS,
  RETURN_WRITES,
  ROUNDED_UP_MS,
  SEEN_OF_WAIT_MS,
  SHORTEST_MEASURE_MS,
  USED_PER_LOST,
  WAITED_TOO_SHORT_MS,
  WINDOW_MS,
} from './pace-tuning.ts';

/**
 * What is known of the limit, and where the pace stands on its curve; all workers of a tenant share one. Numbers only;
 * instants are milliseconds since 1970.
 */
export type Pace = {
  /** Writes per 20 s configured: where it starts, and where it drifts back to while nothing is sent. */
  startPer20s: number;
  /** Writes per 20 s Graph was last seen to take; the pace returns to it and then probes beyond. */
  ceilingPer20s: number;
  /** How long the return to the ceiling takes. */
  returnMs: number;
  /** How far along the curve it is: time in which every slot was taken, since the last episode. */
  grownMs: number;
  /** So much fully used time must pass before it grows again. */
  unusedMs: number;
  /** When the next slot is due. */
  slotAt: number;
  /** When the last throttle episode began, and when its wait ends. */
  throttledAt: number;
  resumeAt: number;
  /** Slots given and not refused, since an instant at most one window ago, and since one at most two windows ago. */
  recentWrites: number;
  recentSince: number;
  olderWrites: number;
  olderSince: number;
};

/** The members of a pace, for those who keep it elsewhere. */
export const PACE_MEMBERS = [
  'startPer20s',
  'ceilingPer20s',
  'returnMs',
  'grownMs',
  'unusedMs',
  'slotAt',
  'throttledAt',
  'resumeAt',
  'recentWrites',
  'recentSince',
  'olderWrites',
  'olderSince',
] as const satisfies readonly (keyof Pace)[];

/**
 * `granted`: a slot was taken. `throttled`: Graph refused one request; everyone now waits `waitMs`, and `told` says
 * whether that is Graph's Retry-After or a guess.
 */
export type PaceEvent = { kind: 'granted' } | { kind: 'throttled'; waitMs: number; told: boolean };

/** A pace nothing is known about: it starts at what is configured and probes at once. */
export function createPace(startPer20s: number, now: number): Pace {
  return {
    startPer20s,
    ceilingPer20s: startPer20s,
    returnMs: RETURN_AFTER_MOVE_MS,
    grownMs: RETURN_AFTER_MOVE_MS,
    unusedMs: 0,
    slotAt: now,
    throttledAt: now - WINDOW_MS,
    resumeAt: now - WINDOW_MS,
    recentWrites: 0,
    recentSince: now,
    olderWrites: 0,
    olderSince: now,
  };
}

/** The pace at an instant. @returns writes per 20 s */
export function rate(pace: Pace, now: number): number {
  return onCurve(rested(pace, now));
}

/** What an event teaches. Slots are given no earlier than `slotAt` of the pace before. */
export function learn(pace: Pace, event: PaceEvent, now: number): Pace {
  return event.kind === 'granted' ? grant(pace, now) : throttle(pace, event, now);
}

/** A cubic through the ceiling: steep up to it, level at it, steep beyond it. */
function onCurve({ startPer20s, ceilingPer20s, returnMs, grownMs }: Pace): number {
  const beyondMs = grownMs - returnMs;
  const change = beyondMs < 0 ? (1 - FALL_TO) * (beyondMs / returnMs) ** 3 : PROBE_STEP * (beyondMs / PROBE_MS) ** 3;
  return Math.max(LEAST_PER_20S, Math.min(ceilingPer20s * (1 + change), most(startPer20s)));
}

function most(startPer20s: number): number {
  return Math.min(startPer20s * MOST_TIMES_START, anyPer20s(startPer20s) * WRITES_OF_ANY);
}

/** Counts the slot, moves the slot clock on, and grows by the time the slot stands for – unless slots were lost. */
function grant(before: Pace, now: number): Pace {
  const pace = skipUnused(before, now);
  const intervalMs = WINDOW_MS / onCurve(pace);
  return {
    ...count(pace, now),
    grownMs: pace.grownMs + (pace.unusedMs === 0 ? intervalMs : 0),
    unusedMs: Math.max(0, pace.unusedMs - intervalMs),
    slotAt: pace.slotAt + intervalMs,
  };
}

/** Time in which nobody wanted a slot is no evidence: slot clock and measurement pass over it, and growth waits. */
function skipUnused(before: Pace, now: number): Pace {
  const pace = rested(before, now);
  const lostMs = Math.max(0, now - pace.slotAt - Math.max(WINDOW_MS / onCurve(pace), LATENESS_MS));
  return {
    ...pace,
    unusedMs: Math.min(WINDOW_MS, pace.unusedMs + USED_PER_LOST * lostMs),
    slotAt: pace.slotAt + lostMs,
    recentSince: pace.recentSince + lostMs,
    olderSince: pace.olderSince + lostMs,
  };
}

function count(pace: Pace, now: number): Pace {
  const { recentWrites, recentSince, olderWrites } = pace;
  if (now - recentSince < WINDOW_MS) return { ...pace, recentWrites: recentWrites + 1, olderWrites: olderWrites + 1 };
  return { ...pace, recentWrites: 1, recentSince: now, olderWrites: recentWrites + 1, olderSince: recentSince };
}

/** Everyone waits; and where this begins an episode, the pace falls just under what Graph was seen to take. */
function throttle(before: Pace, { waitMs, told }: { waitMs: number; told: boolean }, now: number): Pace {
  const pace = skipUnused(before, now);
  const resumeAt = Math.max(pace.resumeAt, now + waitMs);
  const waiting = { ...uncount(pace), resumeAt, slotAt: Math.max(pace.slotAt, resumeAt) };
  // A told wait ends with the limit's window, so it belongs to the measurement of that; a guessed one to the next.
  const measuredAnew = measureFrom(waiting, told ? Math.max(now, resumeAt - SEEN_OF_WAIT_MS) : now);
  if (belongsToEpisode(pace, now)) return told ? measuredAnew : waiting;
  const present = onCurve(pace);
  const taken = measure(waiting, present, told ? toldEnd(waitMs, now) : now);
  const ceilingPer20s = Math.max(LEAST_PER_20S, present * LARGEST_FALL_TO, Math.min(present, taken));
  const moved = Math.abs(ceilingPer20s / pace.ceilingPer20s - 1) > MOVED_BY;
  const returnMs = moved ? RETURN_AFTER_MOVE_MS : Math.max(RETURN_MS, (RETURN_WRITES / ceilingPer20s) * WINDOW_MS);
  return { ...measuredAnew, ceilingPer20s, returnMs, grownMs: 0, throttledAt: now };
}

/** Whether a refusal is one more of an episode that has had its effect. */
function belongsToEpisode({ throttledAt, resumeAt }: Pace, now: number): boolean {
  const waitedTooShort = now < resumeAt + WAITED_TOO_SHORT_MS && now < throttledAt + WINDOW_MS;
  return now < resumeAt || now < throttledAt + IN_FLIGHT_MS || waitedTooShort;
}

function uncount(pace: Pace): Pace {
  const { recentWrites, olderWrites } = pace;
  return { ...pace, recentWrites: Math.max(0, recentWrites - 1), olderWrites: Math.max(0, olderWrites - 1) };
}

function measureFrom(pace: Pace, since: number): Pace {
  return { ...pace, recentWrites: 0, recentSince: since, olderWrites: 0, olderSince: since };
}

/** Until when a told wait counts as part of the window it ends. One longer than a window is a penalty, not a window. */
function toldEnd(waitMs: number, now: number): number {
  return waitMs > WINDOW_MS ? now : now + Math.max(0, waitMs - ROUNDED_UP_MS);
}

/** The rate Graph took, over up to two windows. @returns writes per 20 s */
function measure({ olderWrites, olderSince }: Pace, presentPer20s: number, until: number): number {
  const elapsedMs = Math.max(0, until - olderSince);
  const missingMs = Math.max(0, SHORTEST_MEASURE_MS - elapsedMs);
  return (olderWrites * WINDOW_MS + presentPer20s * missingMs) / (elapsedMs + missingMs);
}

/** What a rest leaves of a pace: no unfinished probe, and a ceiling that drifts towards the start. */
function rested(pace: Pace, now: number): Pace {
  const restMs = now - pace.slotAt;
  if (restMs < REST_MS) return pace;
  const { startPer20s, returnMs } = pace;
  const keptPer20s = Math.max(pace.ceilingPer20s, onCurve(pace));
  const remembered = 2 ** (-restMs / FORGET_HALF_LIFE_MS);
  return {
    ...pace,
    ceilingPer20s: startPer20s * (keptPer20s / startPer20s) ** remembered,
    grownMs: Math.min(pace.grownMs, returnMs),
  };
}
