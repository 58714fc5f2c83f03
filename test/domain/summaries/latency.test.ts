// Percentiles of latencies that are kept as counts in buckets.
import { expect, test } from 'vitest';
import {
  BUCKETS_PER_DOUBLING,
  LATENCY_BUCKETS,
  LATENCY_FROM_MS,
  toPercentiles,
} from '../../../src/domain/summaries/latency.ts';
import { fc } from '../../support/properties.ts';

const bounds = Array.from(
  { length: LATENCY_BUCKETS - 1 },
  (_, step) => LATENCY_FROM_MS * 2 ** (step / BUCKETS_PER_DOUBLING),
);
const TEN_DAYS_MS = 10 * 86_400_000;

function toCounts(latenciesMs: readonly number[]): number[] {
  const counts = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  for (const ms of latenciesMs) {
    const bucket = bounds.filter((bound) => bound <= ms).length;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts;
}

test('latencies within the bounds · have percentiles within 10 % of the exact ones · in order', () => {
  const latency = fc.double({ min: LATENCY_FROM_MS, max: TEN_DAYS_MS * 0.97, noNaN: true });
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), (latencies) => {
      const { p50, p90, p99 } = toPercentiles(toCounts(latencies));
      const inOrder = latencies.toSorted((a, b) => a - b);
      [p50, p90, p99].forEach((seconds, index) => {
        const exact = (inOrder[Math.ceil(([0.5, 0.9, 0.99][index] ?? 0) * inOrder.length) - 1] ?? 0) / 1000;
        expect(Math.abs((seconds ?? 0) / exact - 1)).toBeLessThan(0.1);
      });
    }),
  );
});

test.each([
  ['none', [], null],
  ['faster than the first bound', [0, 5], 0.1],
  ['slower than the last', [TEN_DAYS_MS * 3], 839_000],
  ['as fast as the first bound', [100], 0.109],
])('%s · has a percentile · %j', (_what, latencies, expected) => {
  expect(toPercentiles(toCounts(latencies)).p50).toBe(expected);
});
