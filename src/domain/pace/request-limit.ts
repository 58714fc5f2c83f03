// Graph's limit on requests of any kind, which reads and writes share, and what of it writes leave to reads.

/** Documented, per app and tenant. */
export const REQUESTS_PER_20S = 1000;

/** Writes stop growing here, so that look-ups go on however fast writes are: an uncertain create waits for one. */
export const WRITE_SHARE = 0.9;

/** Whoever configures more writes than Graph documents requests of any kind is on a Graph with other limits. */
export function requestsPer20s(startPer20s: number): number {
  return startPer20s > REQUESTS_PER_20S ? startPer20s / WRITE_SHARE : REQUESTS_PER_20S;
}
