// A tenant in a test's own Redis, and run results to put into it.
import type { Config } from '../../src/config/config.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import { openRedis } from '../../src/queue/redis/open-redis.ts';
import { environmentTenant, openTenant, type Tenant } from '../../src/queue/tenant.ts';
import type { Purpose } from '../../src/queue/redis/connection.ts';
import type { TestRedis } from './redis.ts';

export const POLICY = {
  maxAgeMs: 60_000,
  lookAfterMs: 20,
  attemptTimeoutMs: 500,
  backoff: { baseMs: 20, capMs: 100 },
};

type TenantSettings = Partial<Config['delivery']> & {
  purpose?: Purpose;
  payloadKeys?: Config['payloadKeys'];
  groupKeys?: Config['http']['groupKeys'];
};

/** Opens a tenant with its own connection; both are closed together. */
export async function openTestTenant(
  { config }: Pick<TestRedis, 'config'>,
  { purpose = 'work', payloadKeys = [], groupKeys = [], ...settings }: TenantSettings = {},
): Promise<Tenant> {
  const delivery = {
    writesPer20s: 100_000,
    holdProbeMs: 50,
    dedupeWindowMs: 3_600_000,
    priority: 'fifo' as const,
    supersede: false,
    policy: POLICY,
    ...settings,
  };
  const backlog = { maxBytes: null, maxAgeMs: null };
  return openOwnTenant({ redis: config, payloadKeys, http: { groupKeys }, delivery, backlog }, purpose);
}

/** Opens a configuration's tenant as a separate process would; closed together with its connection. */
export async function openOwnTenant(
  config: Parameters<typeof environmentTenant>[0] & Pick<Config, 'redis'>,
  purpose: Purpose = 'work',
): Promise<Tenant> {
  const ignore = () => undefined;
  const redis = await openRedis(config.redis, purpose, {
    redisTrouble: ignore,
    waitingForRedis: ignore,
    durability: ignore,
  });
  const tenant = await openTenant(redis, environmentTenant(config), { redisTrouble: ignore });
  return {
    ...tenant,
    close: async () => {
      await tenant.close();
      await redis.close();
    },
  };
}

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
