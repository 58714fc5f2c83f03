// Order by worth: who goes first when the budget is short, and which of several results of one device stands for all.
import { hash } from 'node:crypto';
import { toDeviceRunState } from './device-run-state.ts';
import { parseInstant } from './submission/instant.ts';
import type { RunResult, RunState } from './submission/run-result.ts';

/** `fifo`: oldest first. `failures-first`: by rank, oldest first within one. */
export const PRIORITIES = ['fifo', 'failures-first'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Lower goes first. */
export const RANKS = [0, 1, 2] as const;
export type Rank = (typeof RANKS)[number];

/** Where nothing is to go first, everything waits in the last line. */
const LAST: Rank = 2;

const RANK_OF: Record<RunState, Rank> = {
  fail: 0,
  scriptError: 0,
  pending: 1,
  success: LAST,
  notApplicable: LAST,
  unknown: LAST,
};

/** So many turns in which lower ranks may be passed over; the next one is the oldest delivery's, whatever its rank. */
export const PASSED_OVER_AT_MOST = 7;

export function rank(run: RunResult, priority: Priority): Rank {
  return priority === 'fifo' ? LAST : RANK_OF[toDeviceRunState(run).configurationState];
}

/** .NET's ticks of 1970-01-01: with these added no instant of a four-digit year is negative. */
const EPOCH_TICKS = 621_355_968_000_000_000n;
const DIGITS = 19;
const TICKS_PER_MS = 10_000n;

/** When a run was completed, as text that sorts as the instants do. */
export function sortableInstant({ completedAt }: Pick<RunResult, 'completedAt'>): string {
  return ((parseInstant(completedAt)?.ticks ?? 0n) + EPOCH_TICKS).toString().padStart(DIGITS, '0');
}

/** A clock that is so far ahead is wrong: nothing can be told from it. */
const FURTHEST_AHEAD_MS = 86_400_000;

/** Whether a run says it was completed more than a day after it was accepted. */
export function isCompletedAhead({ completedAt }: Pick<RunResult, 'completedAt'>, acceptedAt: number): boolean {
  const ticks = parseInstant(completedAt)?.ticks;
  return ticks !== undefined && ticks > BigInt(acceptedAt + FURTHEST_AHEAD_MS) * TICKS_PER_MS;
}

/** 96 bits: devices by the million do not meet. */
const KEY_CHARACTERS = 16;

/** One of several results: what they compete for, and when its run was completed. */
export type Contestant = { supersessionKey: string; instant: string };

/** Null for one that takes no part: by a clock that is wrong it is neither the newer nor the older. */
export function toContestant(run: RunResult, acceptedAt: number): Contestant | null {
  return isCompletedAhead(run, acceptedAt)
    ? null
    : { supersessionKey: supersessionKey(run), instant: sortableInstant(run) };
}

/** What several results compete for: one device's state under one configuration. */
export function supersessionKey(run: Pick<RunResult, 'deviceId' | 'hardwareConfigurationId'>): string {
  const text = JSON.stringify([run.deviceId, run.hardwareConfigurationId]);
  return hash('sha256', text, 'base64url').slice(0, KEY_CHARACTERS);
}
