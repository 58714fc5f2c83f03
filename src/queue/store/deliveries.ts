// The deliveries of one tenant: accepted once, waiting in line, worked on, found again.
import type { Queue } from 'bullmq';
import { LONGEST_PROBE_INTERVAL } from '../../domain/hold/judge.ts';
import { toPerSecond } from '../../domain/pace/per-window.ts';
import { longestWaitMs, type Policy } from '../../domain/attempt/retry.ts';
import { createAcceptance, type Accept, type AcceptanceSettings } from './acceptance.ts';
import { createTakeOver } from './delayed-jobs.ts';
import type { Fingerprints } from './fingerprints.ts';
import type { Keys } from '../redis/keys.ts';
import { createLine, type Line } from './waiting-list.ts';
import { createRecords, type Records, type RecordSettings } from './records.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { createSearch, type Search } from './search.ts';
import type { Seal } from './payload-cipher.ts';

export type Deliveries = Records &
  Pick<Line, 'feed' | 'promote' | 'wakeIfDue' | 'sweep' | 'putOff' | 'waitMs' | 'park' | 'oldestOpen'> & {
    /** Stores a run result, once, and has a worker woken when it is its turn. */
    accept: Accept;
    search: Search;
    /** Jobs a worker could fetch now. */
    countFetchable: () => Promise<number>;
  };

export type DeliverySettings = AcceptanceSettings &
  RecordSettings & { writesPer20s: number; holdProbeMs: number; policy: Policy };

/** So much of the budget is taken out of the line ahead of time: whoever is to go first later waits for no longer. */
const TAKEN_AHEAD_S = 2;
const TAKEN_AHEAD = { least: 10, most: 1000 };

export function createDeliveries(
  redis: RedisConnection,
  queue: Queue,
  keys: Keys,
  tenantId: string,
  seal: Seal,
  fingerprints: Fingerprints,
  settings: DeliverySettings,
  clock: () => number,
): Deliveries {
  const ahead = Math.ceil(toPerSecond(settings.writesPer20s) * TAKEN_AHEAD_S);
  const window = Math.min(TAKEN_AHEAD.most, Math.max(TAKEN_AHEAD.least, ahead));
  const probeLostMs = settings.policy.attemptTimeoutMs + settings.holdProbeMs * LONGEST_PROBE_INTERVAL;
  const line = createLine(redis, queue, keys, window, probeLostMs);
  const records = createRecords(redis, line, keys, tenantId, seal, settings);
  const waitMs = longestWaitMs(settings.policy);
  const takeOver = createTakeOver({ redis, queue, line, find: records.find, longestWaitMs: waitMs });
  // Where this fails, the worker finds out before it creates the older one.
  const onRivals = (older: string, newer: string) => void records.replace(older, newer, clock()).catch(() => undefined);
  return {
    ...records,
    feed: line.feed,
    promote: line.promote,
    wakeIfDue: line.wakeIfDue,
    sweep: async (now) => {
      await takeOver();
      return line.sweep(now);
    },
    putOff: line.putOff,
    waitMs: line.waitMs,
    park: line.park,
    oldestOpen: line.oldestOpen,
    accept: createAcceptance(redis, keys, line, tenantId, seal, fingerprints, settings, onRivals),
    search: createSearch(redis, keys, records),
    countFetchable: () => queue.getWaitingCount(),
  };
}
