// What of the past says how much Graph takes: slots counted by half windows, and what an episode is measured by.
import { COUNTS_PER_WINDOW, ROUNDED_UP_MS, SHORTEST_MEASURE_MS, STILL_FULL_WRITES, WINDOW_MS } from './tuning.ts';

/** Numbers only; instants are milliseconds since 1970. */
export type Evidence = {
  /** Slots given since three instants, each half a window after the one before; the oldest at most 1.5 windows ago. */
  recentWrites: number;
  recentSince: number;
  middleWrites: number;
  middleSince: number;
  olderWrites: number;
  olderSince: number;
  /** What the last episode is measured by: slots given before and during it and not refused, and since when. */
  episodeWrites: number;
  episodeSince: number;
  /** Slots given since the last refusal. */
  triedWrites: number;
};

/** Too many for one of the first tries after a refusal. */
export const NEVER_REFUSED = STILL_FULL_WRITES + 1;

/** Nothing is known yet: counts from now on. */
export function createEvidence(now: number): Evidence {
  return { ...countsSince(now), episodeWrites: 0, episodeSince: now, triedWrites: NEVER_REFUSED };
}

/** One more slot was given. */
export function count<E extends Evidence>(before: E, windowMs: number, now: number): E {
  const evidence = now - before.recentSince < windowMs / COUNTS_PER_WINDOW ? before : ageCounts(before, now);
  const { recentWrites, middleWrites, olderWrites, triedWrites } = evidence;
  return {
    ...evidence,
    recentWrites: recentWrites + 1,
    middleWrites: middleWrites + 1,
    olderWrites: olderWrites + 1,
    triedWrites: triedWrites + 1,
  };
}

/** One slot was given and refused, and is no more to it: it was not taken. */
export function discount<E extends Evidence>(evidence: E): E {
  return {
    ...evidence,
    recentWrites: Math.max(0, evidence.recentWrites - 1),
    middleWrites: Math.max(0, evidence.middleWrites - 1),
    olderWrites: Math.max(0, evidence.olderWrites - 1),
    triedWrites: 0,
  };
}

function ageCounts<E extends Evidence>(evidence: E, now: number): E {
  return {
    ...evidence,
    recentWrites: 0,
    recentSince: now,
    middleWrites: evidence.recentWrites,
    middleSince: evidence.recentSince,
    olderWrites: evidence.middleWrites,
    olderSince: evidence.middleSince,
  };
}

/** Time that is no evidence is passed over. */
export function skip<E extends Evidence>(evidence: E, ms: number): E {
  return {
    ...evidence,
    recentSince: evidence.recentSince + ms,
    middleSince: evidence.middleSince + ms,
    olderSince: evidence.olderSince + ms,
    episodeSince: evidence.episodeSince + ms,
  };
}

/** The first refusal of an episode: it was not taken, what came before it was. */
export function beginEpisode<E extends Evidence>(evidence: E): E {
  const { olderWrites, olderSince } = evidence;
  return { ...evidence, episodeWrites: Math.max(0, olderWrites - 1), episodeSince: olderSince };
}

/** Refused while everyone waited, a request was on its way; after too short a wait it counts, as it does where Graph counts it. */
export function followEpisode<E extends Evidence>(evidence: E, waited: boolean): E {
  const { episodeWrites, olderWrites } = evidence;
  return { ...evidence, episodeWrites: Math.max(0, episodeWrites + olderWrites - (waited ? 0 : 1)) };
}

/** Counts anew. */
export function countFrom<E extends Evidence>(evidence: E, since: number): E {
  return { ...evidence, ...countsSince(since), triedWrites: 0 };
}

function countsSince(since: number): Omit<Evidence, 'episodeWrites' | 'episodeSince' | 'triedWrites'> {
  return {
    recentWrites: 0,
    recentSince: since,
    middleWrites: 0,
    middleSince: since,
    olderWrites: 0,
    olderSince: since,
  };
}

/** Until when a told wait counts as part of the window it ends. One longer than a window is a penalty, not a window. */
export function toldEnd(waitMs: number, windowMs: number, now: number): number {
  return waitMs > windowMs ? now : now + Math.max(0, waitMs - ROUNDED_UP_MS);
}

/** The rate Graph took, over 1 to 1.5 windows before the episode and what there was of it. @returns writes per 20 s */
export function measure({ episodeWrites, episodeSince }: Evidence, presentPer20s: number, until: number): number {
  const elapsedMs = Math.max(0, until - episodeSince);
  const missingMs = Math.max(0, SHORTEST_MEASURE_MS - elapsedMs);
  return (episodeWrites * WINDOW_MS + presentPer20s * missingMs) / (elapsedMs + missingMs);
}
