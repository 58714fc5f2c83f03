// A tenant: all its parts in Redis, opened and closed together.
import { Queue } from 'bullmq';
import type { Config } from '../config/config.ts';
import type { Secret } from '../config/secret.ts';
import type { TenantConfig } from '../config/tenants/tenant.ts';
import { createBudget, type Budget } from './budget/budget.ts';
import { createStoredGraphFacts, type StoredGraphFacts } from './budget/stored-graph-facts.ts';
import { createReadSnapshot, type ReadSnapshot } from './read-snapshot.ts';
import { openRedisClock, type RedisClock } from './redis/clock.ts';
import type { RedisConnection } from './redis/connection.ts';
import { createKeys, QUEUE_NAME, type Keys } from './redis/keys.ts';
import type { OpenRedis } from './redis/open-redis.ts';
import { openWriteProbe, type WriteProbe } from './redis/write-probe.ts';
import { createDeadLetters, type DeadLetters } from './store/dead-letters.ts';
import { createDeliveries, type Deliveries } from './store/deliveries.ts';
import { openFingerprintSecrets } from './store/fingerprint-secrets.ts';
import { createFingerprints } from './store/fingerprints.ts';
import { createPayloadCipher } from './store/payload-cipher.ts';
import { countJobs, type JobCounts } from './worker/job-counts.ts';

/** What is configured of a tenant's part in Redis. */
export type TenantSettings = Pick<TenantConfig, 'id' | 'delivery' | 'backlog' | 'payloadKeys' | 'groupKeys'>;

export type TenantOptions = {
  redisTrouble: (error: Error) => void;
  /** Replaces Redis's clock, except for decisions made within Redis. */
  clock?: (() => number) | undefined;
  /** Replaces the budget, for example by one on a faster clock. */
  toBudget?: ((keys: Keys) => Budget) | undefined;
};

export type Tenant = Pick<OpenRedis, 'explainSilence'> & {
  id: string;
  keys: Keys;
  /** The process's connection, shared by its tenants. */
  redis: RedisConnection;
  /** The clock for all instants of this tenant. */
  clock: Pick<RedisClock, 'now' | 'latest'>;
  deliveries: Deliveries;
  deadLetters: DeadLetters;
  /** The pace and the holds. */
  budget: Budget;
  facts: StoredGraphFacts;
  readSnapshot: ReadSnapshot;
  /** Whether Redis accepts writes. @throws Error if it does not */
  probeWrite: WriteProbe['probe'];
  /** BullMQ's own job counts, besides the counts of deliveries. */
  countJobs: () => Promise<JobCounts>;
  /** Leaves the connection open. */
  close: () => Promise<void>;
};

/** Length of BullMQ's event stream; our history is in the delivery records. */
const EVENTS_KEPT = 1000;

export async function openTenant(
  { connection: redis, prefix, explainSilence }: OpenRedis,
  settings: TenantSettings,
  { redisTrouble, ...replaced }: TenantOptions,
): Promise<Tenant> {
  const { id, delivery } = settings;
  const keys = createKeys(prefix, id);
  const redisClock = await openRedisClock(redis, keys.counts);
  const clock = replaced.clock ? { now: replaced.clock, latest: replaced.clock } : redisClock;
  const queue = new Queue(QUEUE_NAME, {
    connection: redis,
    prefix: keys.root,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    streams: { events: { maxLen: EVENTS_KEPT } },
  });
  queue.on('error', redisTrouble);
  const [payloadKeys, groupKeys] = [decode(settings.payloadKeys), decode(settings.groupKeys)];
  const cipher = createPayloadCipher(payloadKeys);
  const secrets = openFingerprintSecrets(redis, keys.fingerprintSecrets, [...payloadKeys, ...groupKeys]);
  const fingerprints = createFingerprints(secrets, cipher);
  const deliveries = createDeliveries({
    redis,
    queue,
    keys,
    tenantId: id,
    cipher,
    fingerprints,
    settings: delivery,
    clock: redisClock.now,
  });
  const budget =
    replaced.toBudget?.(keys) ??
    createBudget({ redis, keys, settings: toBudgetSettings(delivery), clock: redisClock.now });
  const writeProbe = openWriteProbe(redis, keys, redisTrouble);
  return {
    id,
    keys,
    redis,
    clock,
    deliveries,
    deadLetters: createDeadLetters(redis, keys, deliveries),
    budget,
    facts: createStoredGraphFacts(redis, keys),
    readSnapshot: createReadSnapshot({ deliveries, budget }, clock.now),
    probeWrite: writeProbe.probe,
    countJobs: () => countJobs(queue),
    explainSilence,
    close: async () => {
      writeProbe.close();
      secrets.close();
      redisClock.close();
      await queue.close();
    },
  };
}

const decode = (keys: readonly Secret[]) => keys.map((key) => Buffer.from(key.reveal(), 'base64'));

const toBudgetSettings = ({ writesPer20s, holdProbeMs, policy }: Config['delivery']) => ({
  writesPer20s,
  holdProbeMs,
  probeTimeoutMs: policy.attemptTimeoutMs,
  backoff: policy.backoff,
});
