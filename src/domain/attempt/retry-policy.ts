// How long to wait before a delivery is tried again or looked up, and when it has failed for too long.

export type Policy = {
  /** A delivery is dead after failing on its own account for this long. */
  maxAgeMs: number;
  /** Delay from an uncertain create to the first lookup; doubles with each further lookup. */
  lookAfterMs: number;
  /** The longest time a request can be in flight. */
  attemptTimeoutMs: number;
  backoff: Backoff;
};

export type Backoff = { baseMs: number; capMs: number };

/** After this many lookups without a match, at growing intervals, the record certainly does not exist. */
export const LOOKUPS_UNTIL_ABSENT = 3;

/**
 * Exponential backoff with full jitter: anywhere from zero to `base × 2^(failures − 1)`, capped.
 * @param failures number of failures, from 1
 * @param random 0 ≤ x < 1
 */
export function backoffMs(failures: number, random: number, { baseMs, capMs }: Backoff): number {
  return Math.round(random * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30)));
}

/** The longest possible delay of a delivery: until the last lookup after a create that took its maximum time. */
export function longestWaitMs({ lookAfterMs, attemptTimeoutMs, backoff }: Policy): number {
  return Math.max(backoff.capMs, attemptTimeoutMs + lookAfterMs * 2 ** (LOOKUPS_UNTIL_ABSENT - 1));
}
