// A budget on an accelerated clock: Redis's time runs faster, and waits shrink accordingly.
import type { Budget } from '../../src/queue/budget/budget.ts';
import type { RedisConnection } from '../../src/queue/redis/connection.ts';
import { replaceTime } from '../../test/support/redis-clock.ts';

/** Makes Redis's clock run faster by this factor, for scripts defined on this connection from now on. */
export function hastenClock(redis: RedisConnection, timeScale: number): void {
  const us = `(t[1] * 1000000 + t[2]) * ${timeScale}`;
  replaceTime(
    redis,
    `(function() local t = redis.call('TIME') local us = ${us} return {math.floor(us / 1000000), us % 1000000} end)()`,
  );
}

/** Converts the waits a budget returns from its own time to real time. */
export function hastenBudget(budget: Budget, timeScale: number): Budget {
  return {
    ...budget,
    acquire: async (kind, asking) => {
      const answer = await budget.acquire(kind, asking);
      return 'waitMs' in answer ? { ...answer, waitMs: Math.ceil(answer.waitMs / timeScale) } : answer;
    },
  };
}
