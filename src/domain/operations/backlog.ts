// Whether the backlog has room for more: its size and age against the limits of the operator and of Redis.

/** What is currently stored. Instants are milliseconds since 1970. */
export type Backlog = {
  /** Bytes used by open deliveries. */
  openBytes: number;
  openCount: number;
  oldestOpenAt: number | null;
  /** All memory used by Redis, including dead letters and remembered runs. */
  usedBytes: number;
  /** Null if Redis has no limit. */
  maxmemoryBytes: number | null;
};

/** Null: no limit. */
export type BacklogLimits = { maxBytes: number | null; maxAgeMs: number | null };

/** Submissions may fill Redis only to this share of `maxmemory`: workers need the rest to finish what is stored. */
const SHARE_OF_MAXMEMORY = 0.8;
/** From this share of `maxmemory` on nothing at all is accepted: workers need the rest to finish what is stored. */
const FULL = 0.95;
/** Once full, it reopens this far below the limit; otherwise a backlog at its limit would flap all day. */
const REOPENS_AT = 0.95;

const MIB = 1_048_576;
const HOUR_MS = 3_600_000;

/** @param memoryUsed share of `maxmemory`; null if Redis has no limit */
export const isFull = (memoryUsed: number | null): boolean => memoryUsed !== null && memoryUsed >= FULL;

/** How many more bytes may be stored; infinite if there is no limit. */
export function roomBytes({ openBytes, usedBytes, maxmemoryBytes }: Backlog, { maxBytes }: BacklogLimits): number {
  return Math.min((maxBytes ?? Infinity) - openBytes, (maxmemoryBytes ?? Infinity) * SHARE_OF_MAXMEMORY - usedBytes);
}

type BacklogCheck = { backlog: Backlog; limits: BacklogLimits; wasFull: boolean; now: number };

/** Why nothing new is accepted, for operators; null while there is room. */
export function findBacklogFullReason({ backlog, limits, wasFull, now }: BacklogCheck): string | null {
  const { openBytes, oldestOpenAt, usedBytes, maxmemoryBytes } = backlog;
  const share = wasFull ? REOPENS_AT : 1;
  if (limits.maxBytes !== null && openBytes >= limits.maxBytes * share) {
    return `${toMib(openBytes)} MiB wait, and MAX_BACKLOG_BYTES are ${toMib(limits.maxBytes)} MiB`;
  }
  if (maxmemoryBytes !== null && usedBytes >= maxmemoryBytes * SHARE_OF_MAXMEMORY * share) {
    return `Redis holds ${toMib(usedBytes)} MiB, and maxmemory are ${toMib(maxmemoryBytes)} MiB`;
  }
  const ageMs = oldestOpenAt === null ? 0 : now - oldestOpenAt;
  if (limits.maxAgeMs !== null && ageMs >= limits.maxAgeMs) {
    return `the oldest delivery waits for ${toHours(ageMs)} h, and MAX_BACKLOG_AGE_H is ${toHours(limits.maxAgeMs)} h`;
  }
  return null;
}

const toMib = (bytes: number) => Math.round((bytes / MIB) * 100) / 100;
const toHours = (ms: number) => Math.round((ms / HOUR_MS) * 100) / 100;
