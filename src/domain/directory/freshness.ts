// How far the directory's word about a device may still be trusted, by its age.

/**
 * `fresh`: is used. `ageing`: is used, and the directory is asked again meanwhile. `stale`: the directory is asked first,
 * and while it cannot be asked the word is used. `expired`: is not used.
 */
export type Freshness = 'fresh' | 'ageing' | 'stale' | 'expired';

/** How much longer than the maximum age a word is used while the directory cannot be asked. */
const WHILE_AWAY = 7;
/** Shares of the maximum age between which entries begin to age: each at its own, so that they are not all asked about at once. */
const AGEING = { from: 0.5, to: 0.75 };

/** A refusal is remembered this long before the directory is asked about it again. */
export const REFUSAL_REMEMBERED_MS = 600_000;

/** A word from further ahead than this was kept before the clock stepped back, and its age is not known. */
const AHEAD_MS = 600_000;

/** @param spread from 0 to 1, always the same for a device */
export function freshnessOf(ageMs: number, maxAgeMs: number, spread: number): Freshness {
  if (ageMs >= WHILE_AWAY * maxAgeMs) return 'expired';
  if (ageMs >= maxAgeMs || ageMs < -AHEAD_MS) return 'stale';
  return ageMs >= maxAgeMs * (AGEING.from + spread * (AGEING.to - AGEING.from)) ? 'ageing' : 'fresh';
}

/** Longer than a question can be under way. */
export const QUESTION_UNDER_WAY_MS = 300_000;

/** Whether a refusal of this age is repeated without asking the directory again. */
export const isRefusalRecent = (ageMs: number): boolean => ageMs >= -AHEAD_MS && ageMs < REFUSAL_REMEMBERED_MS;

/** Whether a device submitted so long ago that nothing about it needs to be remembered. */
export const isUnused = (sinceUseMs: number, maxAgeMs: number): boolean => sinceUseMs >= WHILE_AWAY * maxAgeMs;

/** The spread of a device, from its id, a GUID: its last digits are random. */
export const spreadOf = (deviceId: string): number => Number.parseInt(deviceId.slice(-2), 16) / 255;

/** How often the use of a device is noted, as a share of the maximum age. */
const USE_NOTED_SHARE = 0.25;

/** Whether a use is to be noted: rarely, so that most submissions write nothing. */
export const isUseWorthNoting = (sinceNotedMs: number, maxAgeMs: number): boolean =>
  sinceNotedMs >= maxAgeMs * USE_NOTED_SHARE;
