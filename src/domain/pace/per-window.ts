// Graph's 20-second window for request limits, and conversion to requests per second.

/** The period that Graph's limits refer to. */
export const WINDOW_MS = 20_000;
export const WINDOW_S = WINDOW_MS / 1000;

export const toPerSecond = (per20s: number): number => per20s / WINDOW_S;
