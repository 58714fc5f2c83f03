// The deliveries of one tenant: acceptance, waiting list, records and index.
import { LONGEST_PROBE_INTERVAL } from '../../domain/hold/judge.ts';
import { toPerSecond } from '../../domain/pace/per-window.ts';
import type { Policy } from '../../domain/attempt/retry-policy.ts';
import { createAcceptance, type Accept, type AcceptanceSettings } from './acceptance.ts';
import type { DeviceReports } from '../devices/device-reports.ts';
import { createDeliveryIndex, type DeliveryIndex } from '../index/delivery-index.ts';
import { rebuildIndex, type Rebuilt } from '../index/rebuild.ts';
import type { Fingerprints } from './fingerprints.ts';
import type { TenantJobs } from '../jobs/job-queue.ts';
import type { Keys } from '../redis/keys.ts';
import { createWaitingList, type WaitingList } from './waiting-list.ts';
import { toSavedChange } from './record.ts';
import { createRecords, type Announced, type Records, type RecordSettings } from './records.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Replicated } from '../redis/replicas/replication.ts';
import type { PayloadCipher } from './payload-cipher.ts';

export type Deliveries = Records &
  Pick<DeliveryIndex, 'list' | 'search' | 'sweepIndex'> &
  Pick<WaitingList, 'promote' | 'enqueueIfDue' | 'sweep' | 'putOff' | 'waitMs' | 'park'> & {
    /** Stores a run result once; it is promoted when its turn comes. */
    accept: Accept;
    /** Resolves once enough replicas have this very change, where that is asked for. @throws NotReplicated */
    replicated: (announced: Announced) => Promise<void>;
    /** Adds what an earlier version stored to the index. @param onProgress how many are done, of how many */
    rebuildIndex: (onProgress: (done: number, all: number) => void) => Promise<Rebuilt>;
    /** Sweeps the index and what is known of devices, if that was not done for a while. */
    tidy: () => Promise<void>;
    /** For scripts on the waiting list. */
    waitingList: Pick<WaitingList, 'keys' | 'args'>;
  };

export type DeliverySettings = AcceptanceSettings &
  RecordSettings & { writesPer20s: number; holdProbeMs: number; policy: Policy };

/** Promote two seconds of budget ahead; this bounds how long a higher-ranked newcomer waits. */
const TAKEN_AHEAD_S = 2;
const TAKEN_AHEAD = { least: 10, most: 1000 };

/** A few records that are gone may stay in the index for this long: lists pass over them. */
const TIDIED_EVERY_MS = 600_000;

export type DeliveriesParts = {
  redis: RedisConnection;
  jobs: TenantJobs;
  keys: Keys;
  tenantId: string;
  cipher: PayloadCipher;
  fingerprints: Fingerprints;
  reports: Pick<DeviceReports, 'sweep'>;
  replicas: Pick<Replicated, 'waitFor'>;
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
  const index = createDeliveryIndex({ redis, keys, records });
  // If this fails, the worker notices before creating the older one.
  const onSuperseded = (older: string, newer: string) =>
    void records.replace(older, newer, clock()).catch(() => undefined);
  return {
    ...records,
    promote: waitingList.promote,
    enqueueIfDue: waitingList.enqueueIfDue,
    sweep: waitingList.sweep,
    tidy: every(TIDIED_EVERY_MS, async () => {
      await index.sweepIndex();
      await parts.reports.sweep(clock());
    }),
    putOff: waitingList.putOff,
    waitMs: waitingList.waitMs,
    park: waitingList.park,
    waitingList,
    accept: createAcceptance({ ...parts, waitingList, onSuperseded }),
    replicated: ({ stored: { delivery, rev } }) =>
      parts.replicas.waitFor(toSavedChange(keys.delivery(delivery.id), rev)),
    list: index.list,
    search: index.search,
    sweepIndex: index.sweepIndex,
    rebuildIndex: (onProgress) => rebuildIndex({ ...parts, records }, onProgress),
  };
}

/** Skips calls that come sooner after one than this. */
function every(ms: number, act: () => Promise<void>): () => Promise<void> {
  let lastAt = performance.now();
  return async () => {
    if (performance.now() - lastAt < ms) return;
    lastAt = performance.now();
    await act();
  };
}
