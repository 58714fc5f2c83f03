// The length of Graph's counting window: as documented, or longer if the length and spacing of full windows show it.
import {
  LONGEST_SPAN_MS,
  LONGEST_WINDOW_MS,
  REMEMBERED_SPAN_MS,
  SPANS_AGREE_WITHIN,
  STILL_FULL_MS,
  STILL_FULL_WRITES,
  WINDOW_MS,
  WINDOW_PER_FULL,
  WINDOW_SHRINK,
} from './tuning.ts';

/** Numbers only; instants are milliseconds since 1970. */
export type Windows = {
  /** The span Graph's limit seems to count in. */
  windowMs: number;
  /** Slots given since the last episode's end, and when that was. */
  spanWrites: number;
  spanSince: number;
  /** The same values at the start of the current or last episode. */
  filledWrites: number;
  filledSince: number;
  /** The rate Graph accepted between the last two episode ends, and between the two before; 0 if that was too long ago. */
  filledPer20s: number;
  earlierPer20s: number;
};

/** What a refusal shows: since when Graph was full, and until when that is known. */
export type Full = { isFull: boolean; since: number; end: number };

/** The window that Graph documents. */
export function createWindows(now: number): Windows {
  return {
    windowMs: WINDOW_MS,
    spanWrites: 0,
    spanSince: now,
    filledWrites: 0,
    filledSince: now,
    filledPer20s: 0,
    earlierPer20s: 0,
  };
}

/** The first refusal of an episode: the writes before it filled the span that ends with it. */
export function beginFilled<W extends Windows>(windows: W, isTimely: boolean): W {
  const { spanWrites, spanSince, filledPer20s } = windows;
  return {
    ...windows,
    filledWrites: Math.max(0, spanWrites - 1),
    filledSince: spanSince,
    earlierPer20s: isTimely ? 0 : filledPer20s,
  };
}

/** Whether everything tried since the previous refusal was refused as well. */
export function isStillFull(triedWrites: number, sinceWaitMs: number): boolean {
  return triedWrites > 0 && (triedWrites <= STILL_FULL_WRITES || sinceWaitMs <= STILL_FULL_MS);
}

/**
 * Learns the window length from an episode. If the span it ends is at most one window long and accepted the same rate as
 * the span before, both were windows, and `filledPer20s` is the limit however the pace varied within them.
 */
export function learnWindow<W extends Windows>(before: W, full: Full, isTimely: boolean): W & { isWindow: boolean } {
  const spanMs = full.end - before.filledSince;
  const filledPer20s = spanMs > REMEMBERED_SPAN_MS ? 0 : (before.filledWrites * WINDOW_MS) / Math.max(1, spanMs);
  const agrees = Math.abs(filledPer20s - before.earlierPer20s) <= SPANS_AGREE_WITHIN * before.earlierPer20s;
  const isSpan = spanMs >= WINDOW_MS && spanMs <= LONGEST_SPAN_MS && before.earlierPer20s > 0;
  const isWindow = full.isFull && isSpan && agrees;
  const shortestMs = full.isFull ? Math.min(LONGEST_WINDOW_MS, WINDOW_PER_FULL * (full.end - full.since)) : 0;
  const believedMs = shortestMs <= before.windowMs && isTimely ? before.windowMs * WINDOW_SHRINK : before.windowMs;
  const foundMs = isWindow ? Math.min(LONGEST_WINDOW_MS, spanMs) : 0;
  return { ...before, filledPer20s, isWindow, windowMs: Math.max(WINDOW_MS, believedMs, shortestMs, foundMs) };
}
