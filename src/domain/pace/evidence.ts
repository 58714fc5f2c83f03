// Evidence of how much Graph accepts: slots counted per half window, and the basis for measuring an episode.
import { COUNTS_PER_WINDOW, ROUNDED_UP_MS, SHORTEST_MEASURE_MS, STILL_FULL_WRITES, WINDOW_MS } from './tuning.ts';

/** Numbers only; instants are milliseconds since 1970. */
export type Evidence = {
  /** Slots granted since three instants, each half a window apart; the oldest is at most 1.5 windows ago. */
  recentWrites: number;
  recentSince: number;
  middleWrites: number;
  middleSince: number;
  olderWrites: number;
  olderSince: number;
  /** Basis for measuring the last episode: slots granted before and during it and not refused, and since when. */
  episodeWrites: number;
  episodeSince: number;
  /** Slots granted since the last refusal. */
  triedWrites: number;
};

/** High enough not to count as one of the first tries after a refusal. */
export const NEVER_REFUSED = STILL_FULL_WRITES + 1;

/** No history yet: counting starts now. */
export function createEvidence(now: number): Evidence {
  return { ...countsSince(now), episodeWrites: 0, episodeSince: now, triedWrites: NEVER_REFUSED };
}

/** Counts one granted slot. */
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

/** A slot was granted but refused by Graph, so it does not count. */
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

/** Skips time that is no evidence. */
export function skip<E extends Evidence>(evidence: E, ms: number): E {
  return {
    ...evidence,
    recentSince: evidence.recentSince + ms,
    middleSince: evidence.middleSince + ms,
    olderSince: evidence.olderSince + ms,
    episodeSince: evidence.episodeSince + ms,
  };
}

/** The first refusal of an episode does not count as accepted; the slots before it do. */
export function beginEpisode<E extends Evidence>(evidence: E): E {
  const { olderWrites, olderSince } = evidence;
  return { ...evidence, episodeWrites: Math.max(0, olderWrites - 1), episodeSince: olderSince };
}

/** A refusal during the wait was in flight. After too short a wait it does count, as Graph counts refused requests too. */
export function followEpisode<E extends Evidence>(evidence: E, waited: boolean): E {
  const { episodeWrites, olderWrites } = evidence;
  return { ...evidence, episodeWrites: Math.max(0, episodeWrites + olderWrites - (waited ? 0 : 1)) };
}

/** Restarts the counts. */
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

/** Until when a Retry-After counts as part of the window it ends. Longer than a window it is a penalty. */
export function announcedEnd(waitMs: number, windowMs: number, now: number): number {
  return waitMs > windowMs ? now : now + Math.max(0, waitMs - ROUNDED_UP_MS);
}

/** The rate Graph accepted during the episode and the 1 to 1.5 windows before it. @returns writes per 20 s */
export function measure({ episodeWrites, episodeSince }: Evidence, presentPer20s: number, until: number): number {
  const elapsedMs = Math.max(0, until - episodeSince);
  const missingMs = Math.max(0, SHORTEST_MEASURE_MS - elapsedMs);
  return (episodeWrites * WINDOW_MS + presentPer20s * missingMs) / (elapsedMs + missingMs);
}
