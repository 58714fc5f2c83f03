// Detects that this process was suspended or blocked, so that its own timeouts are not blamed on others.

export type Standstill = {
  /** Milliseconds in which nothing ran here, counted up since the beginning; a short hitch is none. */
  totalMs: () => number;
  close: () => void;
};

const TICK_MS = 250;
const HITCH_MS = 1000;

export function watchStandstill(): Standstill {
  let tickedAt = performance.now();
  let total = 0;

  /** Also asked by whoever comes before the timer: after a standstill nobody knows who runs first. */
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
