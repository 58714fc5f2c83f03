// Whether there is room for more: what is stored and how old it is, against what an operator and Redis allow.

/** What is stored at present. Instants are milliseconds since 1970. */
export type Backlog = {
  /** What open deliveries take. */
  openBytes: number;
  openCount: number;
  oldestOpenAt: number | null;
  /** All that Redis holds: beside open deliveries also dead letters, and runs it remembers. */
  usedBytes: number;
  /** Null where Redis has no such limit. */
  maxmemoryBytes: number | null;
};

/** Null: no such limit. */
export type BacklogLimits = { maxBytes: number | null; maxAgeMs: number | null };

/** Submissions fill Redis so far and no further: workers need the rest to finish what is there. */
const SHARE_OF_MAXMEMORY = 0.8;
/** Beyond this share of `maxmemory` nothing at all is taken: workers need room to finish what is there. */
const FULL = 0.95;
/** Once full, room begins this much below a limit: a backlog at its limit would open and close all day. */
const REOPENS_AT = 0.95;

const MIB = 1_048_576;
const HOUR_MS = 3_600_000;

/** @param memoryUsed a share of `maxmemory`; null where Redis has no such limit */
export const isFull = (memoryUsed: number | null): boolean => memoryUsed !== null && memoryUsed >= FULL;

/** How much more may be stored; infinite where nobody set a limit. */
export function roomBytes({ openBytes, usedBytes, maxmemoryBytes }: Backlog, { maxBytes }: BacklogLimits): number {
  return Math.min((maxBytes ?? Infinity) - openBytes, (maxmemoryBytes ?? Infinity) * SHARE_OF_MAXMEMORY - usedBytes);
}

/** Why nothing new is taken, for operators; null while there is room. */
export function findBacklogFullReason(
  backlog: Backlog,
  limits: BacklogLimits,
  wasFull: boolean,
  now: number,
): string | null {
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
