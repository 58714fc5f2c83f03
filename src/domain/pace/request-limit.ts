// Graph's limit on requests of any kind, which reads and writes share, and what of it writes leave to reads.

/** Documented, per app and tenant. */
export const ANY_PER_20S = 1000;

/** Writes stop growing here, so that look-ups go on however fast writes are: an uncertain create waits for one. */
export const WRITES_OF_ANY = 0.9;

/** Whoever configures more writes than Graph documents requests of any kind is on a Graph with other limits. */
export function anyPer20s(startPer20s: number): number {
  return startPer20s > ANY_PER_20S ? startPer20s / WRITES_OF_ANY : ANY_PER_20S;
}
