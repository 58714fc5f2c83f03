// A steady load: so many calls a second whatever the answers, each one's time counted from when it was due.
import { setTimeout as delay } from 'node:timers/promises';

/** Beyond this many unanswered calls the next ones wait; their wait counts, since it is what a device would see. */
const MOST_IN_FLIGHT = 1000;

/** Calls `call` with 0, 1, 2, … at a rate; an aborted signal starts no further one. Resolves once all have ended. */
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

/** Counts durations to a tenth of a millisecond, so that millions need little room. */
export function createLatencies() {
  const counts = new Map<number, number>();
  let noted = 0;
  return {
    note: (ms: number): void => {
      const tenths = Math.round(ms * 10);
      counts.set(tenths, (counts.get(tenths) ?? 0) + 1);
      noted += 1;
    },
    /** The duration that this share (0 to 1) of all stayed within; null before the first. */
    percentile: (share: number): number | null => {
      let left = Math.ceil(noted * share);
      for (const [tenths, count] of [...counts].sort(([a], [b]) => a - b)) {
        left -= count;
        if (left <= 0) return tenths / 10;
      }
      return null;
    },
  };
}

export function toPercentiles({ percentile }: Latencies) {
  return { p50: percentile(0.5), p90: percentile(0.9), p99: percentile(0.99), max: percentile(1) };
}
