// What of the past says how much Graph takes: slots counted by half windows, and what an episode is measured by.
import { COUNT_MS, ROUNDED_UP_MS, SHORTEST_MEASURE_MS, WINDOW_MS } from './pace-tuning.ts';
import type { Pace } from './pace.ts';

/** One more slot was given. */
export function count(before: Pace, now: number): Pace {
  const pace = now - before.recentSince < COUNT_MS ? before : ageCounts(before, now);
  const { recentWrites, middleWrites, olderWrites } = pace;
  return { ...pace, recentWrites: recentWrites + 1, middleWrites: middleWrites + 1, olderWrites: olderWrites + 1 };
}

function ageCounts(pace: Pace, now: number): Pace {
  const { recentWrites, recentSince, middleWrites, middleSince } = pace;
  return {
    ...pace,
    ...{ recentWrites: 0, recentSince: now },
    ...{ middleWrites: recentWrites, middleSince: recentSince },
    ...{ olderWrites: middleWrites, olderSince: middleSince },
  };
}

/** The first refusal: it was not taken, what came before it was. */
export function beginEpisode(pace: Pace, now: number): Pace {
  const { olderWrites, olderSince } = pace;
  return { ...pace, throttledAt: now, episodeWrites: Math.max(0, olderWrites - 1), episodeSince: olderSince };
}

/** Refused while waiting, a request was on its way; after too short a wait it counts, as it does where Graph counts it. */
export function followEpisode(pace: Pace, now: number): Pace {
  const uncounted = now < pace.resumeAt ? 1 : 0;
  return { ...pace, episodeWrites: Math.max(0, pace.episodeWrites + pace.olderWrites - uncounted) };
}

/** Counts anew. */
export function countFrom(pace: Pace, since: number): Pace {
  return {
    ...pace,
    ...{ recentWrites: 0, recentSince: since },
    ...{ middleWrites: 0, middleSince: since },
    ...{ olderWrites: 0, olderSince: since },
  };
}

/** Until when a told wait counts as part of the window it ends. One longer than a window is a penalty, not a window. */
export function toldEnd(waitMs: number, now: number): number {
  return waitMs > WINDOW_MS ? now : now + Math.max(0, waitMs - ROUNDED_UP_MS);
}

/** The rate Graph took, over 1 to 1.5 windows before the episode and what there was of it. @returns writes per 20 s */
export function measure({ episodeWrites, episodeSince }: Pace, presentPer20s: number, until: number): number {
  const elapsedMs = Math.max(0, until - episodeSince);
  const missingMs = Math.max(0, SHORTEST_MEASURE_MS - elapsedMs);
  return (episodeWrites * WINDOW_MS + presentPer20s * missingMs) / (elapsedMs + missingMs);
}
