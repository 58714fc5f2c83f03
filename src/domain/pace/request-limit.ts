// Graph's limit on all requests, shared by reads and writes, and the share that writes leave for reads.

/** Documented, per app and tenant. */
export const REQUESTS_PER_20S = 1000;

/** Writes stop growing at this share, so that lookups are always possible: uncertain creates wait for them. */
export const WRITE_SHARE = 0.9;

/** Configuring more writes than Graph's documented total limit implies a tenant with other limits. */
export function requestsPer20s(startPer20s: number): number {
  return startPer20s > REQUESTS_PER_20S ? startPer20s / WRITE_SHARE : REQUESTS_PER_20S;
}
