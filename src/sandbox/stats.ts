// The sandbox's statistics.
import { windowMs } from './graph/limiter.ts';
import type { World } from './state.ts';

export type Stats = {
  createsApplied: number;
  /** Run states currently stored. */
  records: number;
  /** Records with the same content as an earlier one. */
  duplicates: number;
  graphRequests: number;
  tokenRequests: number;
  /** Graph requests answered with 429, and their share of all Graph requests. */
  answered429: number;
  share429: number;
  byStatus: Record<string, number>;
  byOperation: Record<string, number>;
  faultsGiven: number;
  /** Scripted responses left. */
  scriptRemaining: number;
  /** Graph requests made before a Retry-After had passed. */
  calledEarly: number;
  missingClientRequestId: number;
  reusedClientRequestId: number;
  connectionsOpened: number;
  /** Writes in the last 20 s (divided by the time scale) not refused with 429, and their share of the limit. */
  writesInLast20s: number;
  limitUtilisation: number;
};

/** The current counters. */
export function readStats(world: World): Stats {
  const counts = world.tally.read();
  const { limiter } = world.settings;
  const writesInLast20s = world.tally.writesIn(windowMs(limiter), world.now());
  return {
    ...counts,
    records: world.store.size(),
    duplicates: world.store.duplicateCount(),
    share429: counts.graphRequests === 0 ? 0 : counts.answered429 / counts.graphRequests,
    scriptRemaining: world.script.remaining(),
    calledEarly: world.earlyCalls.count(),
    writesInLast20s,
    limitUtilisation: writesInLast20s / limiter.writesPer20s,
  };
}
