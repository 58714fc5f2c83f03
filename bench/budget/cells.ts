// The benchmark's cells: sender, hidden limiter, Retry-After or not, number of processes.
import { WINDOW_MS, WINDOW_S } from '../../src/domain/pace/per-window.ts';

export type Sender = 'runstate-bridge' | 'BullMQ limiter' | 'Graph SDK retries';
export type LimiterKind = 'fixed-window' | 'sliding-window' | 'token-bucket';

/** A hidden limit in writes per 20 s; several limits follow one another. */
export type Cell = {
  sender: Sender;
  limiter: LimiterKind;
  limits: number[];
  retryAfter: boolean;
  processes: number;
  /** Length of the window the limit counts in; the limits are still per 20 s. */
  windowS: number;
  /** Share of creates answered with 429 whatever the pace, without Retry-After. */
  noise: number;
  /** Warm-up time and measured time, in unscaled time. */
  settleMs: number;
  countMs: number;
};

const MINUTE_MS = 60_000;
const LIMITERS: LimiterKind[] = ['fixed-window', 'sliding-window', 'token-bucket'];
/** The pace always starts at 100: too high, exactly right, and half of these limits. */
const STEADY = [60, 100, 200];
/** Applied one after another. */
const STEPS = [100, 60, 140];
/** Peers do not learn, so a shorter measurement is enough, and the length of a step does not matter. */
const PEER_COUNT_MS = 4 * MINUTE_MS;
const PEER_STEP_MS = 3 * MINUTE_MS;

const ODD_WINDOWS_S = [1, 5, 40, 60];
const NOISE = 0.01;

export type Wanted = { minutes: number; stepMinutes: number; processes: number[]; senders: Sender[] };

/** All cells of the table. */
export function listCells({ minutes, stepMinutes, processes, senders }: Wanted): Cell[] {
  return senders.flatMap((sender) => {
    const isProduct = sender === 'runstate-bridge';
    const steadyMs = isProduct ? minutes * MINUTE_MS : Math.min(PEER_COUNT_MS, minutes * MINUTE_MS);
    const stepMs = isProduct ? stepMinutes * MINUTE_MS : Math.min(PEER_STEP_MS, stepMinutes * MINUTE_MS);
    const loads = [
      ...STEADY.map((limit) => ({
        limits: [limit],
        settleMs: isProduct ? 3 * MINUTE_MS : MINUTE_MS,
        countMs: steadyMs,
      })),
      { limits: STEPS, settleMs: 0, countMs: STEPS.length * stepMs },
    ];
    return (isProduct ? processes : [1]).flatMap((count) =>
      [true, false].flatMap((retryAfter) =>
        LIMITERS.flatMap((limiter) =>
          loads.map((load) => ({
            sender,
            limiter,
            retryAfter,
            processes: count,
            windowS: WINDOW_S,
            noise: 0,
            ...load,
          })),
        ),
      ),
    );
  });
}

/** Undocumented behaviour, for the product only: other window lengths, and refusals that do not depend on the pace. */
export function listOddCells({ minutes, processes, senders }: Wanted): Cell[] {
  if (!senders.includes('runstate-bridge')) return [];
  const steady = {
    sender: 'runstate-bridge',
    limits: [100],
    settleMs: 3 * MINUTE_MS,
    countMs: minutes * MINUTE_MS,
  } as const;
  return processes.flatMap((count) => {
    const cell = { ...steady, limits: [...steady.limits], processes: count };
    const windows = ODD_WINDOWS_S.flatMap((windowS) =>
      [true, false].flatMap((retryAfter) =>
        (['fixed-window', 'sliding-window'] as const).map((limiter) => ({
          ...cell,
          limiter,
          retryAfter,
          windowS,
          noise: 0,
        })),
      ),
    );
    return [
      ...windows,
      ...LIMITERS.map((limiter) => ({ ...cell, limiter, retryAfter: false, windowS: WINDOW_S, noise: NOISE })),
    ];
  });
}

/** The most a limiter could accept in a cell, with a margin. */
export function mostWrites({ limits, settleMs, countMs }: Cell): number {
  return Math.ceil((Math.max(...limits) * 1.2 * (settleMs + countMs)) / WINDOW_MS) + 200;
}
