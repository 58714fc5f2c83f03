// Days in UTC, counted from 1970-01-01, and how people write them.

export const DAY_MS = 86_400_000;

/** Summaries are kept for this many days after theirs, and asked for as many at once. */
export const SUMMARIES_KEPT_DAYS = 400;

/** @param at milliseconds since 1970 */
export const dayOf = (at: number): number => Math.floor(at / DAY_MS);

/** Such as 2026-11-23. */
export const toDate = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

/** @param date a valid date such as 2026-11-23 */
export const parseDate = (date: string): number => dayOf(Date.parse(`${date}T00:00:00Z`));
