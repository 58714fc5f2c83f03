// Arrivals at a door: the mean while nine tenths of them come, and the most within any span of time.

export type Arrivals = { fromS: number; toS: number; meanPerS: number; peakPerS: number; ratio: number };

/** The first and the last come by ones: with them, the mean would say little about the crowd. */
const LEFT_OUT = 0.05;

/** @param spanS over which a peak is counted */
export function describeArrivals(afterS: readonly number[], spanS: number): Arrivals {
  const sorted = afterS.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0;
  const [fromS, toS] = [at(LEFT_OUT), at(1 - LEFT_OUT)];
  const meanPerS = (sorted.length * (1 - 2 * LEFT_OUT)) / (toS - fromS);
  const peakPerS = countMostWithin(sorted, spanS) / spanS;
  return { fromS, toS, meanPerS, peakPerS, ratio: peakPerS / meanPerS };
}

function countMostWithin(sorted: readonly number[], spanS: number): number {
  let most = 0;
  let first = 0;
  for (const [index, at] of sorted.entries()) {
    while (at - (sorted[first] ?? at) >= spanS) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
