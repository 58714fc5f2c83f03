// Fills a Redis with a backlog quickly: through the queue's own acceptance, with fsync turned off meanwhile.
import { randomUUID } from 'node:crypto';
import { parseConfig } from '../../src/config/config.ts';
import type { TestRedis } from '../../test/support/redis.ts';
import { openOwnTenant } from '../../test/support/tenant.ts';
import { aRunResult } from './requests.ts';

const AT_ONCE = 1000;

/** Creates a function that fills a Redis with this many run results. */
export function createFill(count: number, environment: Record<string, string>): (redis: TestRedis) => Promise<void> {
  return async ({ client, url }) => {
    await client.config('SET', 'appendfsync', 'no');
    const tenant = await openOwnTenant(parseConfig({ ...environment, REDIS_URL: url }, 'api'));
    for (let first = 0; first < count; first += AT_ONCE) {
      const runs = Array.from({ length: Math.min(AT_ONCE, count - first) }, () => aRunResult(`OLD-${randomUUID()}`));
      await Promise.all(runs.map((run) => tenant.deliveries.accept(run, Date.now())));
    }
    await tenant.close();
    await client.config('SET', 'appendfsync', 'always');
  };
}
