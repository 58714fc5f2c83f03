// Supersession: which results are about the same device and configuration, and which of them is newer.
import { hash } from 'node:crypto';
import { parseInstant } from './submission/instant.ts';
import type { RunResult } from './submission/run-result.ts';

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

/** Results with the same key are about the same device and configuration; the one with the latest instant is the newest. */
export type SupersessionOrder = { supersessionKey: string; instant: string };

/** Null if the run was reported with a wrong clock: it is then neither newer nor older than others. */
export function toSupersessionOrder(run: RunResult, acceptedAt: number): SupersessionOrder | null {
  return isCompletedAhead(run, acceptedAt)
    ? null
    : { supersessionKey: supersessionKey(run), instant: sortableInstant(run) };
}

/** The same for all results of one device and configuration. */
export function supersessionKey(run: Pick<RunResult, 'deviceId' | 'hardwareConfigurationId'>): string {
  const text = JSON.stringify([run.deviceId, run.hardwareConfigurationId]);
  return hash('sha256', text, 'base64url').slice(0, KEY_CHARACTERS);
}
