// A tenant: all its parts in Redis, opened and closed together.
import type { Config } from '../config/config.ts';
import type { Secret } from '../config/secret.ts';
import type { TenantConfig } from '../config/tenants/tenant.ts';
import { createBudget, type Budget } from './budget/budget.ts';
import { createStoredGraphFacts, type StoredGraphFacts } from './budget/stored-graph-facts.ts';
import { createDeviceReports, type DeviceReports } from './devices/device-reports.ts';
import { createReadSnapshot, type ReadSnapshot } from './read-snapshot.ts';
import { READER_JOB, REPLAY_JOB } from './jobs/job-queue.ts';
import type { RedisClock } from './redis/clock.ts';
import type { RedisConnection } from './redis/connection.ts';
import { createKeys, type Keys } from './redis/keys.ts';
import type { OpenRedis } from './redis/open-redis.ts';
import type { Replicated } from './redis/replicas/replication.ts';
import type { WriteProbe } from './redis/write-probe.ts';
import { scriptOf } from './redis/script.ts';
import { createReplays, type Replays } from './replays/replays.ts';
import { createDeadLetters, type DeadLetters } from './store/dead-letters.ts';
import { createDeliveries, type Deliveries } from './store/deliveries.ts';
import { openFingerprintSecrets } from './store/fingerprint-secrets.ts';
import { createFingerprints } from './store/fingerprints.ts';
import { createPayloadCipher } from './store/payload-cipher.ts';
import { createSummaries, type Summaries } from './summaries/summaries.ts';

/** What is configured of a tenant's part in Redis. */
export type TenantSettings = Pick<TenantConfig, 'id' | 'delivery' | 'backlog' | 'payloadKeys' | 'groupKeys'>;

export type TenantOptions = {
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
  /** What devices reported last. */
  reports: DeviceReports;
  /** The pace and the holds. */
  budget: Budget;
  facts: StoredGraphFacts;
  readSnapshot: ReadSnapshot;
  summaries: Summaries;
  /** Whether Redis accepts writes. @throws Error if it does not */
  probeWrite: WriteProbe['probe'];
  /** Whether this process may work on the data, for whoever read it without a script. @throws LeftAlone */
  checkFormat: () => Promise<void>;
  /** Whether enough replicas follow. @throws NotReplicated if they do not */
  probeReplicas: Replicated['probe'];
  /** Dead letters that go back into the queue at a rate. */
  replays: Replays;
  /** Wakes a worker that drives this tenant's replay. */
  wakeReplay: () => Promise<void>;
  /** Wakes a worker that puts this tenant's questions to the device directory. */
  wakeReader: () => Promise<void>;
  /** Leaves the connection open. */
  close: () => void;
};

export async function openTenant(
  { connection: redis, prefix, jobs, explainSilence, ...shared }: OpenRedis,
  settings: TenantSettings,
  replaced: TenantOptions,
): Promise<Tenant> {
  const { id, delivery } = settings;
  const keys = createKeys(prefix, id);
  const ownJobs = jobs.ofTenant(id);
  const redisClock = await shared.openClock(keys.counts);
  const clock = replaced.clock ? { now: replaced.clock, latest: replaced.clock } : redisClock;
  const [payloadKeys, groupKeys] = [decode(settings.payloadKeys), decode(settings.groupKeys)];
  const cipher = createPayloadCipher(payloadKeys);
  const secrets = openFingerprintSecrets(redis, keys.fingerprintSecrets, [...payloadKeys, ...groupKeys]);
  const fingerprints = createFingerprints(secrets, cipher);
  const replicas = shared.replicasOf(keys.root);
  const reports = createDeviceReports({ redis, keys, tenantId: id, cipher });
  const deliveries = createDeliveries({
    redis,
    jobs: ownJobs,
    keys,
    tenantId: id,
    cipher,
    fingerprints,
    reports,
    replicas,
    settings: delivery,
    clock: redisClock.now,
  });
  const budget =
    replaced.toBudget?.(keys) ??
    createBudget({ redis, keys, settings: toBudgetSettings(delivery), clock: redisClock.now });
  const deadLetters = createDeadLetters(redis, keys, deliveries);
  const formatScript = scriptOf(redis, 'redis/check-format');
  const writeProbe = shared.openWriteProbe(keys.root);
  return {
    id,
    keys,
    redis,
    clock,
    deliveries,
    reports,
    deadLetters,
    replays: createReplays({ redis, keys, tenantId: id, deadLetters }),
    budget,
    facts: createStoredGraphFacts(redis, keys),
    readSnapshot: createReadSnapshot({
      redis,
      keys,
      waitingList: deliveries.waitingList,
      writesPer20s: delivery.writesPer20s,
      clock: clock.now,
    }),
    summaries: createSummaries(redis, keys, id),
    probeWrite: writeProbe.probe,
    checkFormat: async () => {
      await formatScript([keys.counts], []);
    },
    probeReplicas: replicas.probe,
    explainSilence,
    wakeReplay: () => ownJobs.enqueue([REPLAY_JOB]),
    wakeReader: () => ownJobs.enqueue([READER_JOB]),
    close: () => {
      writeProbe.close();
      secrets.close();
      redisClock.close();
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
