// When the backlog, and one delivery in it, can be expected in Graph at the present budget.

import { WINDOW_S } from '../pace/per-window.ts';

/** What a forecast depends on. Instants are milliseconds since 1970. */
export type Prospect = {
  writesPer20s: number;
  /** Graph’s “not before”; null where there is none. */
  throttledUntil: number | null;
  /** Whether nobody calls Graph until a cause is mended: then nobody knows. */
  held: boolean;
};

/** How long so many creates take from now on. @returns seconds */
export function drainSeconds(deliveries: number, { writesPer20s, throttledUntil }: Prospect, now: number): number {
  if (deliveries === 0) return 0;
  return (deliveries * WINDOW_S) / writesPer20s + Math.max(0, (throttledUntil ?? now) - now) / 1000;
}

/** When a delivery with so many ahead of it will be created; null while everyone is held. */
export function expectedCreateAt(ahead: number, prospect: Prospect, now: number): number | null {
  return prospect.held ? null : Math.round(now + drainSeconds(ahead + 1, prospect, now) * 1000);
}
