// A learned pace for Graph writes: state + event + now → state. Falls below the rate Graph took, returns to it, probes beyond.
import { anyPer20s, WRITES_OF_ANY } from './any-limit.ts';
import {
  beginEpisode,
  count,
  countFrom,
  createEvidence,
  followEpisode,
  measure,
  skip,
  toldEnd,
} from './pace-evidence.ts';
import type { Evidence } from './pace-evidence.ts';
import {
  AGREES_WITHIN,
  FALL_TO,
  FORGET_HALF_LIFE_MS,
  LARGEST_FALL_TO,
  LATENESS_MS,
  LEAST_PER_20S,
  LONGEST_RETURN_MS,
  MOST_TIMES_START,
  MOVED_BY,
  PROBE_MS,
  PROBE_STEP,
  REST_MS,
  RETURN_AFTER_MOVE_MS,
  RETURN_GROWTH,
  RETURN_MS,
  SEEN_OF_WAIT_MS,
  USED_PER_LOST,
  WINDOW_MS,
} from './pace-tuning.ts';

/**
 * What is known of the limit, and where the pace stands on its curve; all workers of a tenant share one. Numbers only;
 * instants are milliseconds since 1970.
 */
export type Pace = Evidence & {
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
  'middleWrites',
  'middleSince',
  'olderWrites',
  'olderSince',
  'episodeWrites',
  'episodeSince',
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
    ...createEvidence(now),
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
    ...skip(pace, lostMs),
    unusedMs: Math.min(WINDOW_MS, pace.unusedMs + USED_PER_LOST * lostMs),
    slotAt: pace.slotAt + lostMs,
  };
}

/** Everyone waits; and the pace falls just under what Graph was seen to take. */
function throttle(before: Pace, { waitMs, told }: { waitMs: number; told: boolean }, now: number): Pace {
  const pace = skipUnused(before, now);
  const isFollowUp = now < pace.resumeAt || now < pace.throttledAt + WINDOW_MS;
  const episode = isFollowUp ? followEpisode(pace, now >= pace.resumeAt) : beginEpisode({ ...pace, throttledAt: now });
  const present = onCurve(pace);
  // Refused again after a guessed wait: Graph was full until now.
  const until = told ? toldEnd(waitMs, now) : Math.min(now, episode.throttledAt + WINDOW_MS);
  const highest = isFollowUp ? pace.ceilingPer20s : present;
  const taken = Math.min(highest, measure(episode, present, until));
  const measuredPer20s = Math.max(LEAST_PER_20S, present * LARGEST_FALL_TO, taken);
  const resumeAt = Math.max(pace.resumeAt, now + waitMs);
  return {
    ...countFrom(episode, Math.max(now, resumeAt - SEEN_OF_WAIT_MS)),
    ceilingPer20s: isFollowUp ? measuredPer20s : Math.min(present, settle(pace.ceilingPer20s, measuredPer20s)),
    returnMs: nextReturnMs(pace, measuredPer20s, isFollowUp),
    grownMs: 0,
    slotAt: Math.max(pace.slotAt, resumeAt),
    resumeAt,
  };
}

function differsBy(measuredPer20s: number, ceilingPer20s: number): number {
  return Math.abs(measuredPer20s / ceilingPer20s - 1);
}

/** The mean of old and new where they agree: either is a write or two off. */
function settle(ceilingPer20s: number, measuredPer20s: number): number {
  const agrees = differsBy(measuredPer20s, ceilingPer20s) <= AGREES_WITHIN;
  return agrees ? (ceilingPer20s + measuredPer20s) / 2 : measuredPer20s;
}

/** Soon where the limit has moved; otherwise a little longer after each episode: what has stood for long is probed less. */
function nextReturnMs({ ceilingPer20s, returnMs }: Pace, measuredPer20s: number, isFollowUp: boolean): number {
  if (differsBy(measuredPer20s, ceilingPer20s) > MOVED_BY) return RETURN_AFTER_MOVE_MS;
  return isFollowUp ? returnMs : Math.max(RETURN_MS, Math.min(LONGEST_RETURN_MS, returnMs * RETURN_GROWTH));
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
