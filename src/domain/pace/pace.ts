// A learned pace for Graph writes: state + event + now → state. Falls below the rate Graph took, returns to it, probes beyond.
import { requestsPer20s, WRITE_SHARE } from './request-limit.ts';
import {
  beginEpisode,
  count,
  countFrom,
  createEvidence,
  discount,
  followEpisode,
  measure,
  skip,
  announcedEnd,
} from './evidence.ts';
import type { Evidence } from './evidence.ts';
import { cool, createNoise, isAlone, isNoisy, meetLimit, suspectNoise, type Noise } from './noise.ts';
import { beginFilled, createWindows, isStillFull, learnWindow, type Windows } from './window.ts';
import {
  AGREES_WITHIN,
  FALL_TO,
  FALL_TO_AMID_NOISE,
  FORGET_HALF_LIFE_MS,
  HIGHER_WEIGHT,
  LOWER_WEIGHT,
  LARGEST_FALL_TO,
  LATENESS_MS,
  LEAST_PER_20S,
  LONE_FALL,
  LONGEST_FULL_MS,
  LONGEST_LONE_WAIT_MS,
  LONE_FALL_AMID_NOISE,
  LONGEST_WINDOW_MS,
  LONGEST_RETURN_MS,
  MOST_MADE_UP,
  MOST_TIMES_START,
  MOVED_BY,
  PROBE_MS,
  PROBE_STEP,
  REST_MS,
  RETURN_AFTER_MOVE_MS,
  RETURN_GROWTH,
  RETURN_MS,
  RETURN_WHILE_UNSURE_MS,
  SAME_EPISODE_MS,
  SEEN_OF_WAIT_MS,
  STILL_FULL_WRITES,
  USED_PER_LOST,
  WINDOW_MS,
} from './tuning.ts';

/**
 * What is known about the limit, and the current position on the pace curve. All workers of a tenant share one pace.
 * Numbers only; instants are milliseconds since 1970.
 */
export type Pace = Evidence &
  Windows &
  Noise & {
    /** Writes per 20 s configured: where it starts, and where it drifts back to while nothing is sent. */
    startPer20s: number;
    /** Writes per 20 s that Graph was last seen to accept; the pace returns to this ceiling, then probes above it. */
    ceilingPer20s: number;
    /** How long the return to the ceiling takes. */
    returnMs: number;
    /** Position on the curve: time since the last episode during which every slot was used. */
    grownMs: number;
    /** Fully used time that must still pass before the pace grows again. */
    unusedMs: number;
    /** When the next slot is due. */
    slotAt: number;
    /** When the last throttle episode began, and when its wait ends. */
    throttledAt: number;
    resumeAt: number;
  };

/** The members of a pace, for code that stores it elsewhere. */
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
  'triedWrites',
  'windowMs',
  'spanWrites',
  'spanSince',
  'filledWrites',
  'filledSince',
  'filledPer20s',
  'earlierPer20s',
  'heat',
  'noise',
  'loneAt',
  'hasMetLimit',
  'provenPer20s',
  'provingWrites',
  'provingSince',
] as const satisfies readonly (keyof Pace)[];

/**
 * `granted`: a slot was taken. `throttled`: Graph refused one request; all requests now wait `waitMs`, and `announced` is true
 * if that is Graph's Retry-After rather than our own guess.
 */
export type PaceEvent = { kind: 'granted' } | { kind: 'throttled'; waitMs: number; announced: boolean };

/** A pace without any history: it starts at the configured rate and probes immediately. */
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
    ...createWindows(now),
    ...createNoise(now),
  };
}

/** The pace at an instant. @returns writes per 20 s */
export function rate(pace: Pace, now: number): number {
  return onCurve(rested(pace, now));
}

/** Updates the pace after an event. The caller must not use a slot before the `slotAt` of the previous pace. */
export function learn(pace: Pace, event: PaceEvent, now: number): Pace {
  return event.kind === 'granted' ? grant(pace, now) : throttle(pace, event, now);
}

/** A cubic through the ceiling: steep below it, flat at it, steep above it. */
function onCurve(pace: Pace): number {
  const { startPer20s, ceilingPer20s, returnMs, grownMs, windowMs } = pace;
  const beyondMs = grownMs - returnMs;
  const change =
    beyondMs < 0
      ? (1 - fallTo(pace)) * (beyondMs / returnMs) ** 3
      : PROBE_STEP * (probedMs(beyondMs, windowMs) / PROBE_MS) ** 3;
  return Math.max(LEAST_PER_20S, Math.min(ceilingPer20s * (1 + change), most(startPer20s)));
}

const fallTo = (pace: Pace) => (isNoisy(pace) ? FALL_TO_AMID_NOISE : FALL_TO);

/** The first step above the ceiling takes longer in proportion to the window: a long window stays full for long. */
function probedMs(beyondMs: number, windowMs: number): number {
  const slowMs = (PROBE_MS * windowMs) / WINDOW_MS;
  return beyondMs <= slowMs ? (beyondMs * WINDOW_MS) / windowMs : PROBE_MS + beyondMs - slowMs;
}

function most(startPer20s: number): number {
  return Math.min(startPer20s * MOST_TIMES_START, requestsPer20s(startPer20s) * WRITE_SHARE);
}

/** Counts the slot, advances the slot clock, and grows by the slot's duration unless slots went unused. */
function grant(before: Pace, now: number): Pace {
  const pace = skipUnused(before, now);
  const intervalMs = WINDOW_MS / onCurve(pace);
  return {
    ...cool(count(pace, pace.windowMs, now)),
    spanWrites: pace.spanWrites + 1,
    grownMs: pace.grownMs + (pace.unusedMs === 0 ? intervalMs : 0),
    unusedMs: Math.max(0, pace.unusedMs - intervalMs),
    slotAt: pace.slotAt + intervalMs,
  };
}

/** Time in which no slot was wanted is no evidence: slot clock and measurements skip it, and growth is delayed. */
function skipUnused(before: Pace, now: number): Pace {
  const pace = rested(before, now);
  const lostMs = Math.max(0, now - pace.slotAt - Math.max(WINDOW_MS / onCurve(pace), LATENESS_MS));
  return {
    ...skipAll(pace, lostMs),
    unusedMs: Math.min(WINDOW_MS, pace.unusedMs + USED_PER_LOST * lostMs),
    slotAt: pace.slotAt + lostMs,
  };
}

function skipAll(pace: Pace, ms: number): Pace {
  return {
    ...skip(pace, ms),
    spanSince: pace.spanSince + ms,
    filledSince: pace.filledSince + ms,
    provingSince: pace.provingSince + ms,
  };
}

/** All requests wait. Clustered refusals, or one with Retry-After, mean a limit, until the latter proves to be noise. */
function throttle(before: Pace, { waitMs, announced }: { waitMs: number; announced: boolean }, now: number): Pace {
  const met = skipUnused({ ...before, heat: before.heat + 1 }, now);
  const isFollowUp = now < met.resumeAt || now < met.throttledAt + followedMs(met);
  const isFull = isStillFull(met.triedWrites, now - met.resumeAt) || (announced && waitMs > LONGEST_LONE_WAIT_MS);
  if (isFollowUp || isFull || !isAlone(met)) return episode(met, { waitMs, announced, isFollowUp }, now);
  const pace = isReturning(met) ? suspectNoise(met, onCurve(met), now + waitMs) : met;
  const isUnproven = !announced && (isReturning(met) || met.hasMetLimit === 0);
  if (isNoisy(pace) || isUnproven) return refusedAlone(met, pace, now + waitMs, now);
  return episode(pace, { waitMs, announced, isFollowUp }, now);
}

/** Still returning to the ceiling, where a limit would not be expected to refuse anything. */
const isReturning = (pace: Pace) => pace.hasMetLimit === 1 && pace.grownMs <= pace.returnMs;

/** Refusals within one window belong to one episode; within a longer one only while Graph accepted nothing. */
function followedMs({ hasMetLimit, spanWrites }: Pace): number {
  return hasMetLimit === 1 && spanWrites <= STILL_FULL_WRITES ? LONGEST_WINDOW_MS : WINDOW_MS;
}

/** A lone refusal does not prove a lower limit: wait briefly, lower the ceiling slightly, and continue. */
function refusedAlone(before: Pace, pace: Pace, until: number, now: number): Pace {
  const slotAt = Math.max(pace.slotAt, until);
  const stillMs = Math.max(0, until - Math.max(now, pace.slotAt));
  return {
    ...skip(discount(pace), stillMs),
    spanWrites: Math.max(0, pace.spanWrites - 1),
    spanSince: pace.spanSince + stillMs,
    ceilingPer20s: isReturning(before) || isNoisy(pace) ? afterLone(before, pace) : pace.ceilingPer20s,
    loneAt: now,
    slotAt,
  };
}

/** Slightly lower; back up to the proven rate once refusals turn out to be noise. */
function afterLone(before: Pace, pace: Pace): number {
  const { ceilingPer20s, provenPer20s } = pace;
  if (isNoisy(before)) return Math.max(LEAST_PER_20S, ceilingPer20s * (1 - LONE_FALL_AMID_NOISE));
  if (isNoisy(pace)) return Math.max(ceilingPer20s, provenPer20s);
  return Math.max(LEAST_PER_20S, ceilingPer20s * (1 - LONE_FALL));
}

type Refusal = { waitMs: number; announced: boolean; isFollowUp: boolean };

/** All requests wait, and the pace falls to just below what Graph was seen to accept. */
function episode(pace: Pace, { waitMs, announced, isFollowUp }: Refusal, now: number): Pace {
  const began = isFollowUp ? followEpisode(pace, now >= pace.resumeAt) : begin(pace, now);
  const present = onCurve(pace);
  const isFull = (announced && !isFollowUp) || isStillFull(pace.triedWrites, now - pace.resumeAt);
  const end = announced ? announcedEnd(waitMs, LONGEST_FULL_MS, now) : now;
  const isTimely = !isFollowUp && pace.grownMs > pace.returnMs;
  const { isWindow, ...seen } = learnWindow(began, { isFull, since: began.throttledAt, end }, isTimely);
  // Refused again after a guessed wait: Graph was full until now.
  const until = announced ? announcedEnd(waitMs, seen.windowMs, now) : Math.min(now, seen.throttledAt + seen.windowMs);
  const highest = isFollowUp ? pace.ceilingPer20s : present;
  const taken = Math.min(highest, isWindow ? seen.filledPer20s : measure(seen, present, until));
  const least = Math.max(LEAST_PER_20S, present * LARGEST_FALL_TO);
  const measuredPer20s = Math.max(least, taken);
  const settled = isFollowUp ? measuredPer20s : Math.min(present, settle(pace.ceilingPer20s, measuredPer20s));
  const ceilingPer20s = Math.max(least, settled);
  const resumeAt = Math.max(pace.resumeAt, now + waitMs, announced ? 0 : madeUpAt(seen, pace.ceilingPer20s, now));
  const since = Math.max(now, resumeAt - SEEN_OF_WAIT_MS);
  return {
    ...meetLimit({ before: countFrom(seen, since), ceilingPer20s, isFull: isFull && !announced, until: resumeAt }),
    spanWrites: 0,
    spanSince: since,
    ceilingPer20s,
    returnMs: isWindow
      ? Math.max(RETURN_MS, pace.returnMs)
      : nextReturnMs({ ...pace, windowMs: seen.windowMs }, measuredPer20s, isFollowUp),
    grownMs: 0,
    slotAt: Math.max(pace.slotAt, resumeAt),
    resumeAt,
  };
}

/** An episode begins with its first refusal, even if that one seemed to be isolated at the time. */
function begin(pace: Pace, now: number): Pace {
  const throttledAt = now - pace.loneAt < SAME_EPISODE_MS ? pace.loneAt : now;
  return beginFilled(beginEpisode({ ...pace, throttledAt }), pace.grownMs > pace.returnMs);
}

/** When sending at the ceiling would have produced the writes already sent: until then a full window stays full. */
function madeUpAt({ episodeWrites, episodeSince, windowMs }: Pace, ceilingPer20s: number, now: number): number {
  return Math.min(now + windowMs * MOST_MADE_UP, episodeSince + (episodeWrites * WINDOW_MS) / ceilingPer20s);
}

function differsBy(measuredPer20s: number, ceilingPer20s: number): number {
  return Math.abs(measuredPer20s / ceilingPer20s - 1);
}

/** If old and new values agree, takes a value in between: both are imprecise, but a higher rate was really accepted. */
function settle(ceilingPer20s: number, measuredPer20s: number): number {
  if (differsBy(measuredPer20s, ceilingPer20s) > AGREES_WITHIN) return measuredPer20s;
  const weight = measuredPer20s > ceilingPer20s ? HIGHER_WEIGHT : LOWER_WEIGHT;
  return ceilingPer20s + (measuredPer20s - ceilingPer20s) * weight;
}

/** Returns soon if the limit has moved; otherwise a little later after each episode: stable limits are probed less. */
function nextReturnMs(pace: Pace, measuredPer20s: number, isFollowUp: boolean): number {
  const { ceilingPer20s, returnMs, windowMs } = pace;
  if (differsBy(measuredPer20s, ceilingPer20s) > MOVED_BY) return (RETURN_AFTER_MOVE_MS * windowMs) / WINDOW_MS;
  if (isFollowUp) return returnMs;
  if (isNoisy(pace) || measuredPer20s > ceilingPer20s * (1 + AGREES_WITHIN)) return RETURN_WHILE_UNSURE_MS;
  return Math.max(RETURN_MS, Math.min(LONGEST_RETURN_MS, returnMs * RETURN_GROWTH));
}

/** The effect of a rest: an unfinished probe is dropped, and the ceiling drifts towards the start. */
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
