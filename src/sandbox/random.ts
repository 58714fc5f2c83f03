// Seeded random numbers (mulberry32): the same seed gives the same sequence.

/** A number in [0, 1), like Math.random. */
export type Random = () => number;

/** A generator that repeats its sequence for the same seed. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `lowest` to `highest`, inclusive. */
export function wholeNumber(random: Random, lowest: number, highest: number): number {
  return lowest + Math.floor(random() * (highest - lowest + 1));
}

/** One of several choices, all equally likely. */
export function pick<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[wholeNumber(random, 0, choices.length - 1)] ?? choices[0];
}
