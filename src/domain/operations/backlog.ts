// Which run results the backlog has room for: its size and age against the limits of the operator and of Redis.
import { toDeviceRunState } from '../device-run-state.ts';
import type { RunResult, RunState } from '../submission/run-result.ts';

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

/** The new run results there is room for: every one, failed runs alone, or none. */
export type Room = 'all' | 'failures' | 'none';

/** The reason says, for operators, why there is no room for all. */
export type BacklogState = { room: 'all'; reason: null } | { room: 'failures' | 'none'; reason: string };

export const ROOM_FOR_ALL: BacklogState = { room: 'all', reason: null };

/** Who is refused, as the middle of a sentence. */
export const WHO_IS_REFUSED: Record<'failures' | 'none', string> = {
  failures: 'submissions are refused with 429, except those of failed runs (fail, scriptError)',
  none: 'submissions are refused with 429',
};

/** Run states that may use the last bytes: they are what an operator needs to see when something goes wrong. */
const IS_FAILED: Record<RunState, boolean> = {
  fail: true,
  scriptError: true,
  pending: false,
  success: false,
  notApplicable: false,
  unknown: false,
};

/** Submissions may fill Redis only to this share of `maxmemory`: workers need the rest to finish what is stored. */
const SHARE_OF_MAXMEMORY = 0.8;
/** From this share of `maxmemory` on nothing at all is accepted: workers need the rest to finish what is stored. */
const FULL = 0.95;
/** The share of the bytes that run results other than failed ones may fill. */
const SHARE_OF_OTHERS = 0.9;
/** Once reached, a limit reopens this far below; otherwise a backlog at its limit would flap all day. */
const REOPENS_AT = 0.95;

const MIB = 1_048_576;
const HOUR_MS = 3_600_000;

/** @param memoryUsed share of `maxmemory`; null if Redis has no limit */
export const isFull = (memoryUsed: number | null): boolean => memoryUsed !== null && memoryUsed >= FULL;

export const isFailedRun = (run: RunResult): boolean => IS_FAILED[toDeviceRunState(run).configurationState];

export const hasRoomFor = (room: Room, run: RunResult): boolean =>
  room === 'all' || (room === 'failures' && isFailedRun(run));

/** How many more bytes run results like this one may take; infinite if there is no limit. */
export function roomBytes(
  { openBytes, usedBytes, maxmemoryBytes }: Backlog,
  { maxBytes }: BacklogLimits,
  run: RunResult,
): number {
  const share = isFailedRun(run) ? 1 : SHARE_OF_OTHERS;
  const ofBytes = (maxBytes ?? Infinity) * share - openBytes;
  return Math.min(ofBytes, (maxmemoryBytes ?? Infinity) * SHARE_OF_MAXMEMORY * share - usedBytes);
}

/** `known`: the room there was when it was last decided. */
type BacklogCheck = { backlog: Backlog; limits: BacklogLimits; known: Room; now: number };

/** The bytes are shared: the last tenth is for failed runs. An age limit is no lack of room, and applies to all alike. */
export function decideBacklogState({ backlog, limits, known, now }: BacklogCheck): BacklogState {
  const { openBytes, oldestOpenAt, usedBytes, maxmemoryBytes } = backlog;
  const ageMs = oldestOpenAt === null ? 0 : now - oldestOpenAt;
  const states: BacklogState[] = [];
  if (limits.maxBytes !== null) {
    const reason = `${toMib(openBytes)} MiB wait, and MAX_BACKLOG_BYTES are ${toMib(limits.maxBytes)} MiB`;
    states.push(toState(decideRoom(openBytes, limits.maxBytes, known), reason));
  }
  if (maxmemoryBytes !== null) {
    const reason = `Redis holds ${toMib(usedBytes)} MiB, and maxmemory are ${toMib(maxmemoryBytes)} MiB`;
    states.push(toState(decideRoom(usedBytes, maxmemoryBytes * SHARE_OF_MAXMEMORY, known), reason));
  }
  if (limits.maxAgeMs !== null && ageMs >= limits.maxAgeMs) {
    const reason = `the oldest delivery waits for ${toHours(ageMs)} h, and MAX_BACKLOG_AGE_H is ${toHours(limits.maxAgeMs)} h`;
    states.push({ room: 'none', reason });
  }
  const withRoom = (room: Room) => states.find((state) => state.room === room);
  return withRoom('none') ?? withRoom('failures') ?? ROOM_FOR_ALL;
}

function decideRoom(bytes: number, limit: number, known: Room): Room {
  if (bytes >= limit * (known === 'none' ? REOPENS_AT : 1)) return 'none';
  return bytes >= limit * SHARE_OF_OTHERS * (known === 'all' ? 1 : REOPENS_AT) ? 'failures' : 'all';
}

const toState = (room: Room, reason: string): BacklogState => (room === 'all' ? ROOM_FOR_ALL : { room, reason });

const toMib = (bytes: number) => Math.round((bytes / MIB) * 100) / 100;
const toHours = (ms: number) => Math.round((ms / HOUR_MS) * 100) / 100;
