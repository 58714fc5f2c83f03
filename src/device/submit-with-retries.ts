// Submits with retries: honours Retry-After, backs off with jitter, gives up at a deadline.
import { setTimeout as sleep } from 'node:timers/promises';

import { isLater, type SubmitOutcome } from './outcome.ts';
import { submit } from './device-client.ts';
import type { DeviceClientOptions } from './device-client.ts';

/** How a submission is retried. */
export type RetryOptions = {
  /** A number in [0, 1), like Math.random. */
  random: () => number;
  /** No further attempt starts after this time; the last outcome is returned instead. */
  giveUpAfterMs: number;
  /** Bound of the first backoff; it doubles with every attempt up to `longestBackoffMs`. */
  firstBackoffMs?: number;
  longestBackoffMs?: number;
  /** Replaces the timer. */
  wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
};

export type SubmissionEnd = { outcome: SubmitOutcome; attempts: number; gaveUp: 'no' | 'out-of-time' };

/**
 * How long to wait before the next attempt, or undefined if the outcome is final. After a Retry-After: that time plus a
 * random part of `firstBackoffMs`. Without one: a random time between zero and a bound that doubles with every attempt
 * (full jitter).
 * @param attempt the number of attempts made, from 1
 */
export function decideWaitMs(
  outcome: SubmitOutcome,
  attempt: number,
  { random, firstBackoffMs = 1000, longestBackoffMs = 60_000 }: RetryOptions,
): number | undefined {
  const isFinal =
    outcome.kind === 'accepted' ||
    outcome.kind === 'duplicate' ||
    (outcome.kind === 'refused' && !isLater(outcome.httpStatus));
  if (isFinal) return undefined;
  const backoffMs = random() * Math.min(longestBackoffMs, firstBackoffMs * 2 ** (attempt - 1));
  const toldMs = outcome.kind === 'refused' ? outcome.retryAfterMs : undefined;
  return toldMs === undefined ? backoffMs : toldMs + random() * firstBackoffMs;
}

/** Submits until the bridge accepts or permanently refuses the run result, or time is up. Throws if `signal` aborts. */
export async function submitUntilAccepted(
  runResult: object,
  options: DeviceClientOptions,
  retry: RetryOptions,
): Promise<SubmissionEnd> {
  const { now = Date.now, signal } = options;
  const wait = retry.wait ?? waitFor;
  const giveUpAtMs = now() + retry.giveUpAfterMs;
  for (let attempts = 1; ; attempts += 1) {
    const outcome = await submit(runResult, options);
    const waitMs = decideWaitMs(outcome, attempts, retry);
    if (waitMs === undefined) return { outcome, attempts, gaveUp: 'no' };
    if (now() + waitMs > giveUpAtMs) return { outcome, attempts, gaveUp: 'out-of-time' };
    await wait(waitMs, signal);
  }
}

async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
