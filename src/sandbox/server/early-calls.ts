// Counts callers that return before their Retry-After has passed, reads and writes apart.
import type { Access } from '../graph/limiter.ts';

/** A call this soon after a refusal may already have been in flight. */
const onItsWayMs = 100;

export type EarlyCalls = ReturnType<typeof createEarlyCalls>;

/** Remembers the longest wait in force for each kind of access. */
export function createEarlyCalls() {
  const pauses: Partial<Record<Access, { toldAtMs: number; untilMs: number }>> = {};
  let count = 0;
  return {
    /** Records a call. */
    note: (access: Access, nowMs: number): void => {
      const pause = pauses[access];
      if (pause !== undefined && nowMs > pause.toldAtMs + onItsWayMs && nowMs < pause.untilMs) count += 1;
    },
    /** Records that a caller was asked to wait this long. */
    tell: (access: Access, retryAfterMs: number, nowMs: number): void => {
      const pause = pauses[access];
      const stillPaused = pause !== undefined && pause.untilMs > nowMs;
      pauses[access] = {
        toldAtMs: stillPaused ? pause.toldAtMs : nowMs,
        untilMs: Math.max(pause?.untilMs ?? 0, nowMs + retryAfterMs),
      };
    },
    count: (): number => count,
  };
}
