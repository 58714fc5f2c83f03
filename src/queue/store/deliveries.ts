// The deliveries of one tenant: acceptance, waiting list, records and search.
import { LONGEST_PROBE_INTERVAL } from '../../domain/hold/judge.ts';
import { toPerSecond } from '../../domain/pace/per-window.ts';
import type { Policy } from '../../domain/attempt/retry-policy.ts';
import { createAcceptance, type Accept, type AcceptanceSettings } from './acceptance.ts';
import type { Fingerprints } from './fingerprints.ts';
import type { TenantJobs } from '../jobs/job-queue.ts';
import type { Keys } from '../redis/keys.ts';
import { createWaitingList, type WaitingList } from './waiting-list.ts';
import { createRecords, type Records, type RecordSettings } from './records.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { createSearch, type Search } from './search.ts';
import type { PayloadCipher } from './payload-cipher.ts';

export type Deliveries = Records &
  Pick<WaitingList, 'promote' | 'enqueueIfDue' | 'sweep' | 'putOff' | 'waitMs' | 'park'> & {
    /** Stores a run result once; it is promoted when its turn comes. */
    accept: Accept;
    search: Search;
    /** For scripts on the waiting list. */
    waitingList: Pick<WaitingList, 'keys' | 'args'>;
  };

export type DeliverySettings = AcceptanceSettings &
  RecordSettings & { writesPer20s: number; holdProbeMs: number; policy: Policy };

/** Promote two seconds of budget ahead; this bounds how long a higher-ranked newcomer waits. */
const TAKEN_AHEAD_S = 2;
const TAKEN_AHEAD = { least: 10, most: 1000 };

export type DeliveriesParts = {
  redis: RedisConnection;
  jobs: TenantJobs;
  keys: Keys;
  tenantId: string;
  cipher: PayloadCipher;
  fingerprints: Fingerprints;
  settings: DeliverySettings;
  clock: () => number;
};

export function createDeliveries(parts: DeliveriesParts): Deliveries {
  const { redis, jobs, keys, settings, clock } = parts;
  const ahead = Math.ceil(toPerSecond(settings.writesPer20s) * TAKEN_AHEAD_S);
  const window = Math.min(TAKEN_AHEAD.most, Math.max(TAKEN_AHEAD.least, ahead));
  const probeLostMs = settings.policy.attemptTimeoutMs + settings.holdProbeMs * LONGEST_PROBE_INTERVAL;
  const waitingList = createWaitingList({ redis, jobs, keys, window, probeLostMs });
  const records = createRecords({ ...parts, waitingList });
  // If this fails, the worker notices before creating the older one.
  const onSuperseded = (older: string, newer: string) =>
    void records.replace(older, newer, clock()).catch(() => undefined);
  return {
    ...records,
    promote: waitingList.promote,
    enqueueIfDue: waitingList.enqueueIfDue,
    sweep: waitingList.sweep,
    putOff: waitingList.putOff,
    waitMs: waitingList.waitMs,
    park: waitingList.park,
    waitingList,
    accept: createAcceptance({ ...parts, waitingList, onSuperseded }),
    search: createSearch(redis, keys, records),
  };
}
