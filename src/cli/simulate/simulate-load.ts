// An open-loop load: calls at a fixed rate, whatever the responses; each latency is measured from when the call was due.
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** With more unanswered calls than this, further ones wait; the wait counts, since a device would see it too. */
const MOST_IN_FLIGHT = 1000;

/** Calls `call` with 0, 1, 2, … at a fixed rate; after an abort no further call starts. Resolves once all have ended. */
export async function runAtRate(
  { total, perSecond, signal }: { total: number; perSecond: number; signal: AbortSignal },
  call: (index: number) => Promise<void>,
  tookMs: (latencyMs: number) => void,
): Promise<void> {
  const startedAt = performance.now();
  const inFlight = new Set<Promise<void>>();
  const stopped = () => signal.aborted;
  for (let index = 0; index < total && !stopped(); index++) {
    const dueAt = startedAt + (index * 1000) / perSecond;
    const aheadMs = dueAt - performance.now();
    if (aheadMs > 0) await delay(aheadMs, undefined, { signal }).catch(() => undefined);
    if (inFlight.size >= MOST_IN_FLIGHT) await Promise.race(inFlight);
    if (stopped()) break;
    const ended = call(index).finally(() => {
      tookMs(performance.now() - dueAt);
      inFlight.delete(ended);
    });
    inFlight.add(ended);
  }
  await Promise.all(inFlight);
}

export type Latencies = ReturnType<typeof createLatencies>;

/** Latencies are capped at one hour. */
const LONGEST_TENTHS = 36_000_000;

/** Durations in tenths of a millisecond with four significant digits, in constant memory. */
export function createLatencies() {
  const histogram = createHistogram({ highest: LONGEST_TENTHS, figures: 4 });
  return {
    record: (ms: number): void => {
      histogram.record(Math.min(LONGEST_TENTHS, Math.max(1, Math.round(ms * 10))));
    },
    /** The duration within which this share (0 to 1) of calls completed; null before the first. */
    percentile: (share: number): number | null =>
      histogram.count === 0 ? null : histogram.percentile(share * 100) / 10,
  };
}

export function toPercentiles({ percentile }: Latencies) {
  return { p50: percentile(0.5), p90: percentile(0.9), p99: percentile(0.99), max: percentile(1) };
}
