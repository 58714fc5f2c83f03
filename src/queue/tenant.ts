// Everything one tenant has in Redis, opened together: deliveries, budget, and the connection under them.
import { Queue } from 'bullmq';
import type { Config } from '../config/config.ts';
import type { Secret } from '../config/secret.ts';
import { createBudget, type Budget } from './budget/budget.ts';
import { openRedisClock, type RedisClock } from './redis/clock.ts';
import { createDeadLetters, type DeadLetters } from './store/dead-letters.ts';
import { createDeliveries, type Deliveries } from './store/deliveries.ts';
import { startEmbeddedRedis, type TellWait } from './redis/embedded/embedded.ts';
import { countJobs, type JobCounts } from './worker/job-counts.ts';
import { openFingerprintSecrets } from './store/fingerprint-secrets.ts';
import { createFacts, type Facts } from './budget/facts.ts';
import { createFingerprints } from './store/fingerprints.ts';
import { createKeys, QUEUE_NAME, type Keys } from './redis/keys.ts';
import { connect, disconnect, settled, type Purpose, type RedisConnection } from './redis/connection.ts';
import { createPayloadCipher } from './store/payload-cipher.ts';
import { openWriteProbe, type WriteProbe } from './redis/write-probe.ts';

/** The tenant the environment describes. */
export const ENVIRONMENT_TENANT = 'default';

export type TenantQueue = {
  tenantId: string;
  keys: Keys;
  redis: RedisConnection;
  deliveries: Deliveries;
  deadLetters: DeadLetters;
  budget: Budget;
  facts: Facts;
  /** The clock that all instants of this tenant's are by. */
  clock: RedisClock;
  /** Whether Redis takes writes. @throws Error where it does not */
  probeWrite: WriteProbe['ask'];
  /** BullMQ's own view, beside what the deliveries say of themselves. */
  countJobs: () => Promise<JobCounts>;
  /** What an answer of our own Redis waits for; null where it answers, or is not ours. */
  explainSilence: () => Promise<string | null>;
  close: () => Promise<void>;
};

/** What BullMQ keeps of its own history; the delivery record has ours. */
const EVENTS_KEPT = 1000;

/**
 * Opens a tenant's queue.
 * @param purpose whether somebody waits for each command (`answer`) or nobody does (`work`)
 * @param tellWait hears what our own Redis is waited for
 */
export async function openTenantQueue(
  config: Pick<Config, 'redis' | 'payloadKeys' | 'delivery'> & { http: Pick<Config['http'], 'groupKeys'> },
  purpose: Purpose,
  onTrouble: (error: Error) => void,
  tellWait: TellWait = () => undefined,
): Promise<TenantQueue> {
  const embedded = config.redis.kind === 'embedded' ? await startEmbeddedRedis(config.redis.directory, tellWait) : null;
  const redis = connect(config.redis, purpose, onTrouble);
  const revive = () => void embedded?.ensure().catch(onTrouble);
  redis.on('close', revive);
  await settled(redis);
  const keys = createKeys(config.redis.prefix, ENVIRONMENT_TENANT);
  const clock = await openRedisClock(redis, keys.counts);
  const queue = new Queue(QUEUE_NAME, {
    connection: redis,
    prefix: keys.root,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    streams: { events: { maxLen: EVENTS_KEPT } },
  });
  queue.on('error', onTrouble);
  const { writesPer20s, holdProbeMs, policy } = config.delivery;
  const [payloadKeys, groupKeys] = [decode(config.payloadKeys), decode(config.http.groupKeys)];
  const cipher = createPayloadCipher(payloadKeys);
  const secrets = openFingerprintSecrets(redis, keys.fingerprintSecrets, [...payloadKeys, ...groupKeys]);
  const fingerprints = createFingerprints(secrets, cipher);
  const deliveries = createDeliveries(
    redis,
    queue,
    keys,
    ENVIRONMENT_TENANT,
    cipher,
    fingerprints,
    config.delivery,
    clock.now,
  );
  const writes = openWriteProbe(redis, keys, onTrouble);
  return {
    tenantId: ENVIRONMENT_TENANT,
    keys,
    redis,
    deliveries,
    deadLetters: createDeadLetters(redis, keys, deliveries),
    budget: createBudget(
      redis,
      keys,
      {
        writesPer20s,
        holdProbeMs,
        probeTimeoutMs: policy.attemptTimeoutMs,
        backoff: policy.backoff,
      },
      clock.now,
    ),
    clock,
    probeWrite: writes.ask,
    facts: createFacts(redis, keys),
    countJobs: () => countJobs(queue),
    explainSilence: async () => (await embedded?.explain()) ?? null,
    close: async () => {
      writes.close();
      redis.off('close', revive);
      clock.close();
      await queue.close();
      await disconnect(redis);
      await embedded?.close();
    },
  };
}

const decode = (keys: readonly Secret[]) => keys.map((key) => Buffer.from(key.reveal(), 'base64'));
