// Refusals independent of the pace: how frequent they are, the rate Graph has proven to accept, and how likely they are noise.
import {
  BELOW_PROVEN,
  COOLING_WRITES,
  EPISODE_HEAT,
  EPISODE_HEAT_AMID_NOISE,
  MOST_NOISE,
  MOVED_BY,
  NOISE,
  NOISE_AFTER_FULL,
  NOISE_PROVEN,
  NOISE_WRITES,
  PROVE_MS,
  VOID_BELOW,
  WINDOW_MS,
} from './tuning.ts';

/** Numbers only; instants are milliseconds since 1970. */
export type Noise = {
  /** Frequency of refusals: each adds 1, granted slots let it decay. */
  heat: number;
  /** How likely it is that refusals do not depend on the pace. */
  noise: number;
  /** When Graph last refused a single request. */
  loneAt: number;
  /** 1 once an episode has found a limit; before that, a lone refusal stops nothing. */
  hasMetLimit: number;
  /** The rate Graph has proven to accept, or 0; and slots granted since the refusal at which the next proof starts. */
  provenPer20s: number;
  provingWrites: number;
  provingSince: number;
};

export function createNoise(now: number): Noise {
  return {
    heat: 0,
    noise: 0,
    loneAt: now - WINDOW_MS,
    hasMetLimit: 0,
    provenPer20s: 0,
    provingWrites: 0,
    provingSince: now,
  };
}

export const isNoisy = ({ noise }: Noise) => noise >= NOISE;

/** Too far from earlier refusals to be caused by a limit. */
export const isAlone = (pace: Noise) => pace.heat < (isNoisy(pace) ? EPISODE_HEAT_AMID_NOISE : EPISODE_HEAT);

/** One more slot was granted. */
export function cool<N extends Noise>(pace: N): N {
  return {
    ...pace,
    heat: pace.heat * (1 - 1 / COOLING_WRITES),
    noise: pace.noise * (1 - 1 / NOISE_WRITES),
    provingWrites: pace.provingWrites + 1,
  };
}

/** Between two refusals a limit accepts exactly its own rate, whatever the pace. @returns 0 if they are too close together */
function prove({ provingWrites, provingSince }: Noise, until: number): number {
  const elapsedMs = until - provingSince;
  return elapsedMs < PROVE_MS ? 0 : (Math.max(0, provingWrites - 1) * WINDOW_MS) / elapsedMs;
}

/** Handles a lone refusal during the return to the ceiling, at this pace, whose wait ends at `until`. */
export function suspectNoise<N extends Noise>(before: N, per20s: number, until: number): N {
  const provenNow = prove(before, until);
  const provenPer20s = Math.max(before.provenPer20s, provenNow);
  const noise = Math.min(
    MOST_NOISE,
    before.noise + (provenPer20s > 0 && per20s <= provenPer20s * (1 - BELOW_PROVEN) ? 1 : 0),
  );
  return {
    ...before,
    provenPer20s,
    noise: noise >= NOISE && !isNoisy(before) ? noise + NOISE_PROVEN : noise,
    provingWrites: provenNow > 0 ? 0 : Math.max(0, before.provingWrites - 1),
    provingSince: provenNow > 0 ? until : before.provingSince,
  };
}

type Episode<N extends Noise> = {
  before: N;
  ceilingPer20s: number;
  isFull: boolean;
  /** When its wait ends. */
  until: number;
};

/** Handles an episode whose wait ends at `until` and that results in this ceiling. */
export function meetLimit<N extends Noise>({ before, ceilingPer20s, isFull, until }: Episode<N>): N {
  const provenNow = prove(before, until);
  const voidBelow = isFull ? VOID_BELOW : MOVED_BY;
  const isVoid = before.hasMetLimit === 0 || before.provenPer20s * (1 - voidBelow) > ceilingPer20s;
  const isAnew = isVoid || provenNow > 0;
  return {
    ...before,
    hasMetLimit: 1,
    noise: isVoid ? 0 : isFull ? before.noise * NOISE_AFTER_FULL : before.noise,
    provenPer20s: isVoid ? 0 : provenNow > 0 ? provenNow : before.provenPer20s,
    provingWrites: isAnew ? 0 : Math.max(0, before.provingWrites - 1),
    provingSince: isAnew ? until : before.provingSince,
  };
}
