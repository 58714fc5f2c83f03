// A tenant in a test's own Redis, and run results to put into it.
import type { Config } from '../../src/config/config.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import type { JobQueue } from '../../src/queue/jobs/job-queue.ts';
import { openRedis } from '../../src/queue/redis/open-redis.ts';
import { createHealth, type Health } from '../../src/api/health.ts';
import { DEFAULT_TENANT } from '../../src/config/tenants/tenant.ts';
import { openTenant, type Tenant, type TenantSettings } from '../../src/queue/tenant.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { Purpose } from '../../src/queue/redis/connection.ts';
import type { TestRedis } from './redis.ts';

export const POLICY = {
  maxAgeMs: 60_000,
  lookAfterMs: 20,
  attemptTimeoutMs: 500,
  backoff: { baseMs: 20, capMs: 100 },
};

type TestTenantSettings = Partial<Config['delivery']> & {
  id?: string;
  purpose?: Purpose;
  payloadKeys?: Config['payloadKeys'];
  groupKeys?: Config['http']['groupKeys'];
};

/** A tenant with a connection and a job queue of its own. */
export type OwnTenant = Omit<Tenant, 'close'> & { jobs: JobQueue; close: () => Promise<void> };

/** Opens a tenant with its own connection; both are closed together. */
export async function openTestTenant(
  { config }: Pick<TestRedis, 'config'>,
  { id = DEFAULT_TENANT, purpose = 'work', payloadKeys = [], groupKeys = [], ...settings }: TestTenantSettings = {},
): Promise<OwnTenant> {
  const delivery = {
    writesPer20s: 100_000,
    holdProbeMs: 50,
    dedupeWindowMs: 3_600_000,
    deliveredKeptMs: 3_600_000,
    priority: 'fifo' as const,
    supersede: false,
    policy: POLICY,
    ...settings,
  };
  const backlog = { maxBytes: null, maxAgeMs: null };
  const http = { groupKeys };
  return openOwnTenant({ id, redis: config, payloadKeys, http, delivery, backlog }, purpose);
}

/** Opens a configuration's tenant as a separate process would; closed together with its connection. */
export async function openOwnTenant(
  {
    id = DEFAULT_TENANT,
    redis: redisConfig,
    http: { groupKeys },
    delivery,
    backlog,
    payloadKeys,
  }: Omit<TenantSettings, 'id' | 'groupKeys'> &
    Pick<Config, 'redis'> & { id?: string; http: Pick<Config['http'], 'groupKeys'> },
  purpose: Purpose = 'work',
): Promise<OwnTenant> {
  const ignore = () => undefined;
  const redis = await openRedis(redisConfig, purpose, {
    redisTrouble: ignore,
    waitingForRedis: ignore,
    durability: ignore,
  });
  const tenant = await openTenant(redis, { id, groupKeys, delivery, backlog, payloadKeys }, {});
  return {
    ...tenant,
    jobs: redis.jobs,
    close: async () => {
      tenant.close();
      await redis.close();
    },
  };
}

/** What a process with this tenant alone says about its health. */
export const healthOf = (tenant: OwnTenant): Health =>
  createHealth({
    redis: { connection: tenant.redis, jobs: tenant.jobs, explainSilence: tenant.explainSilence },
    tenants: () => [{ tenant: { ...tenant, close: () => undefined }, directory: null }],
    metrics: createMetrics(),
  });

export function aRun(number: number | string, members: Partial<RunResult> = {}): RunResult {
  return {
    runId: `run-${number}`,
    deviceId: `device-${number}`,
    hardwareConfigurationId: '11111111-2222-3333-4444-555555555555',
    deviceName: `PC-${number}`,
    policyVersion: 1,
    completedAt: '2026-11-23T10:00:00.1234567+01:00',
    exitCode: 0,
    output: 'done',
    ...members,
  };
}
