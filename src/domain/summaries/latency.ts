// How long deliveries took, as counts in buckets whose bounds grow by a fifth, and the percentiles read from them.

/** Everything faster is in the first bucket. */
export const LATENCY_FROM_MS = 100;
/** Each bucket is 2^(1/4) times as wide as the one before, about 19 %. */
export const BUCKETS_PER_DOUBLING = 4;
/** Up to 9.7 days; everything slower is in the last bucket. */
export const LATENCY_BUCKETS = 94;

/** In seconds; null where nothing was delivered. */
export type Percentiles = { p50: number | null; p90: number | null; p99: number | null };

/** The percentiles by nearest rank, each with the middle of its bucket: at most 9 % off. @param counts by bucket */
export function toPercentiles(counts: readonly number[]): Percentiles {
  return { p50: percentile(counts, 0.5), p90: percentile(counts, 0.9), p99: percentile(counts, 0.99) };
}

function percentile(counts: readonly number[], share: number): number | null {
  const rank = Math.ceil(share * counts.reduce((sum, count) => sum + count, 0));
  if (rank === 0) return null;
  let reached = 0;
  const bucket = counts.findIndex((count) => (reached += count) >= rank);
  return Number((middleMs(bucket) / 1000).toPrecision(3));
}

/** Of the first and the last bucket, which have one bound only, that bound. */
function middleMs(bucket: number): number {
  if (bucket === 0) return LATENCY_FROM_MS;
  const steps = bucket === LATENCY_BUCKETS - 1 ? bucket - 1 : bucket - 0.5;
  return LATENCY_FROM_MS * 2 ** (steps / BUCKETS_PER_DOUBLING);
}
