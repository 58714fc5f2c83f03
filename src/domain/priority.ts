// Priorities: which delivery goes first when the budget is short.
import { toDeviceRunState } from './device-run-state.ts';
import type { RunResult, RunState } from './submission/run-result.ts';

/** `fifo`: oldest first. `failures-first`: by rank, oldest first within one. */
export const PRIORITIES = ['fifo', 'failures-first'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Lower ranks go first. */
export const RANKS = [0, 1, 2] as const;
export type Rank = (typeof RANKS)[number];

/** Without priorities, everything waits in the last rank. */
const LAST: Rank = 2;

const RANK_OF: Record<RunState, Rank> = {
  fail: 0,
  scriptError: 0,
  pending: 1,
  success: LAST,
  notApplicable: LAST,
  unknown: LAST,
};

/** How many turns may go to higher priorities; the next one goes to the oldest delivery of any rank. */
export const PASSED_OVER_AT_MOST = 7;

export function rank(run: RunResult, priority: Priority): Rank {
  return priority === 'fifo' ? LAST : RANK_OF[toDeviceRunState(run).configurationState];
}
