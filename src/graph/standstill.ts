// Detects that this process was suspended or blocked, so that its own timeouts are not blamed on others.

export type Standstill = {
  /** Total milliseconds in which nothing ran here since the start; short hitches do not count. */
  totalMs: () => number;
  close: () => void;
};

const TICK_MS = 250;
const HITCH_MS = 1000;

export function watchStandstill(): Standstill {
  let tickedAt = performance.now();
  let total = 0;

  /** Also called on demand: after a standstill, callers may run before the timer. */
  function look(): void {
    const now = performance.now();
    const missing = now - tickedAt - TICK_MS;
    if (missing > HITCH_MS) total += missing;
    tickedAt = now;
  }

  const ticking = setInterval(look, TICK_MS).unref();
  return {
    totalMs: () => {
      look();
      return total;
    },
    close: () => clearInterval(ticking),
  };
}
