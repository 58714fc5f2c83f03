// Graph counts requests per 20 seconds: that window, and a pace in it as requests per second.

/** The span that Graph gives its limits for. */
export const WINDOW_MS = 20_000;
export const WINDOW_S = WINDOW_MS / 1000;

export const toPerSecond = (per20s: number): number => per20s / WINDOW_S;
