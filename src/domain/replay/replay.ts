// A replay at a rate: dead letters that go back into the queue a few at a time, and what an operator may do with it meanwhile.
import type { DeadLetterFilter } from '../operations/dead-letter.ts';

/** The first two are open: they may still replay something. */
export const REPLAY_STATES = ['running', 'paused', 'done', 'cancelled'] as const;
export type ReplayState = (typeof REPLAY_STATES)[number];

export const REPLAY_OPERATIONS = ['pause', 'resume', 'cancel'] as const;
export type ReplayOperation = (typeof REPLAY_OPERATIONS)[number];

/** Dead letters a second. */
export const REPLAY_RATE = { least: 0.01, most: 1000 };

/** Instants are milliseconds since 1970, on Redis's clock. */
export type Replay = {
  id: string;
  tenantId: string;
  filter: DeadLetterFilter;
  perSecond: number;
  state: ReplayState;
  /** The dead letters that matched when it began; it takes no others. */
  matched: number;
  replayed: number;
  /** Those that were replayed or purged by someone else meanwhile, or cannot be read. */
  skipped: number;
  startedAt: number;
  endedAt: number | null;
  /** The app whose Entra token started it; null for the operator token. */
  by: string | null;
};

export const isOpenReplay = (state: ReplayState): boolean => state === 'running' || state === 'paused';

/** The state that follows; null where the replay has ended, so that it is too late. */
const NEXT: Record<ReplayOperation, Record<ReplayState, ReplayState | null>> = {
  pause: { running: 'paused', paused: 'paused', done: null, cancelled: null },
  resume: { running: 'running', paused: 'running', done: null, cancelled: null },
  cancel: { running: 'cancelled', paused: 'cancelled', done: null, cancelled: 'cancelled' },
};

/** What an operation makes of a replay; the same state again where it is so already. */
export const decideReplayState = (state: ReplayState, operation: ReplayOperation): ReplayState | null =>
  NEXT[operation][state];
