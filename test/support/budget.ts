// Budgets over a test's own Redis, each on its own connection, as in separate worker processes.
import { createBudget, type Budget, type BudgetSettings } from '../../src/queue/budget/budget.ts';
import { createKeys } from '../../src/queue/redis/keys.ts';
import { connect, disconnect, type RedisConnection } from '../../src/queue/redis/connection.ts';
import type { TestRedis } from './redis.ts';
import { POLICY } from './tenant.ts';

export const KEYS = createKeys('runstate', 'default');

export type TestBudget = Budget & { close: () => Promise<void> };

/** @param prepare called with the connection before the budget's scripts are defined on it */
export function openTestBudget(
  { config }: Pick<TestRedis, 'config'>,
  settings: Partial<BudgetSettings> = {},
  prepare: (redis: RedisConnection) => void = () => undefined,
): TestBudget {
  const redis = connect(config, 'work', () => undefined);
  prepare(redis);
  const { attemptTimeoutMs: probeTimeoutMs, backoff } = POLICY;
  const defaults: BudgetSettings = { writesPer20s: 100_000, holdProbeMs: 50, probeTimeoutMs, backoff };
  return {
    ...createBudget({ redis, keys: KEYS, settings: { ...defaults, ...settings }, clock: Date.now }),
    close: () => disconnect(redis),
  };
}
