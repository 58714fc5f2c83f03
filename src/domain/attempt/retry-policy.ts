// How long to wait before a delivery is tried again or looked up, and when it has failed for too long.

export type Policy = {
  /** After this much failing time of its own a delivery is dead. */
  maxAgeMs: number;
  /** From an uncertain create to the first lookup; each further lookup waits twice as long. */
  lookAfterMs: number;
  /** The longest time a request can be under way. */
  attemptTimeoutMs: number;
  backoff: Backoff;
};

export type Backoff = { baseMs: number; capMs: number };

/** After this many lookups in vain, each later than the one before, a record is certainly not there. */
export const LOOKUPS_UNTIL_ABSENT = 3;

/**
 * Exponential backoff with full jitter: anywhere from zero to `base × 2^(failures − 1)`, capped.
 * @param failures how often it failed, from 1
 * @param random 0 ≤ x < 1
 */
export function backoffMs(failures: number, random: number, { baseMs, capMs }: Backoff): number {
  return Math.round(random * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30)));
}

/** The longest a delivery can be put off: until the last lookup, after a create that took as long as it may. */
export function longestWaitMs({ lookAfterMs, attemptTimeoutMs, backoff }: Policy): number {
  return Math.max(backoff.capMs, attemptTimeoutMs + lookAfterMs * 2 ** (LOOKUPS_UNTIL_ABSENT - 1));
}
