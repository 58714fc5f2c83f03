// A tenant's queue over a test's own Redis, and run results to put into it.
import type { Config } from '../../src/config/config.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import { openTenantQueue, type TenantQueue } from '../../src/queue/tenant.ts';
import type { Purpose } from '../../src/queue/redis/connection.ts';
import type { TestRedis } from './redis.ts';

export const POLICY = {
  maxAgeMs: 60_000,
  lookAfterMs: 20,
  attemptTimeoutMs: 500,
  backoff: { baseMs: 20, capMs: 100 },
};

type QueueSettings = Partial<Config['delivery']> & {
  purpose?: Purpose;
  payloadKeys?: Config['payloadKeys'];
  groupKeys?: Config['http']['groupKeys'];
};

export function openTestQueue(
  { config }: Pick<TestRedis, 'config'>,
  { purpose = 'work', payloadKeys = [], groupKeys = [], ...settings }: QueueSettings = {},
): Promise<TenantQueue> {
  const delivery = {
    writesPer20s: 100_000,
    holdProbeMs: 50,
    dedupeWindowMs: 3_600_000,
    priority: 'fifo' as const,
    supersede: false,
    policy: POLICY,
    ...settings,
  };
  return openTenantQueue({ redis: config, payloadKeys, http: { groupKeys }, delivery }, purpose, () => undefined);
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
