// Priorities: which delivery goes first when the budget is short, and which of a device's results supersedes the others.
import { hash } from 'node:crypto';
import { toDeviceRunState } from './device-run-state.ts';
import { parseInstant } from './submission/instant.ts';
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

/** .NET ticks at 1970-01-01: adding them makes every instant of a four-digit year non-negative. */
const EPOCH_TICKS = 621_355_968_000_000_000n;
const DIGITS = 19;
const TICKS_PER_MS = 10_000n;

/** The completion instant as text that sorts chronologically. */
export function sortableInstant({ completedAt }: Pick<RunResult, 'completedAt'>): string {
  return ((parseInstant(completedAt)?.ticks ?? 0n) + EPOCH_TICKS).toString().padStart(DIGITS, '0');
}

/** A clock this far ahead is wrong, so its instants cannot be compared. */
const FURTHEST_AHEAD_MS = 86_400_000;

/** Whether a run says it was completed more than a day after it was accepted. */
export function isCompletedAhead({ completedAt }: Pick<RunResult, 'completedAt'>, acceptedAt: number): boolean {
  const ticks = parseInstant(completedAt)?.ticks;
  return ticks !== undefined && ticks > BigInt(acceptedAt + FURTHEST_AHEAD_MS) * TICKS_PER_MS;
}

/** 96 bits: no collisions even for millions of devices. */
const KEY_CHARACTERS = 16;

/** A result that competes with others: for which key, and when its run was completed. */
export type Contestant = { supersessionKey: string; instant: string };

/** Null if the run takes no part: with a wrong clock it is neither newer nor older. */
export function toContestant(run: RunResult, acceptedAt: number): Contestant | null {
  return isCompletedAhead(run, acceptedAt)
    ? null
    : { supersessionKey: supersessionKey(run), instant: sortableInstant(run) };
}

/** Results compete for one device's state under one configuration. */
export function supersessionKey(run: Pick<RunResult, 'deviceId' | 'hardwareConfigurationId'>): string {
  const text = JSON.stringify([run.deviceId, run.hardwareConfigurationId]);
  return hash('sha256', text, 'base64url').slice(0, KEY_CHARACTERS);
}
