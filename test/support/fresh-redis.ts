// What each test of a file starts from: a Redis without a key in it, and a tenant opened on it; both are closed afterwards.
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { startTestRedis, type TestRedis } from './redis.ts';
import { openTestTenant, type OwnTenant } from './tenant.ts';

/** One server for all tests of the file, emptied before each of them. */
export function startFreshRedis(use: (redis: TestRedis) => void, ...settings: string[]): void {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startTestRedis(...settings);
    use(redis);
  });
  afterAll(() => redis.close());
  beforeEach(async () => {
    await redis.client.flushall();
  });
}

/** A tenant of its own for each test, on such a Redis. */
export function openFreshTenants(
  use: (opened: { redis: TestRedis; queue: OwnTenant }) => void,
  settings: Parameters<typeof openTestTenant>[1] = {},
): void {
  let redis: TestRedis;
  let queue: OwnTenant;
  startFreshRedis((started) => void (redis = started));
  beforeEach(async () => {
    queue = await openTestTenant(redis, settings);
    use({ redis, queue });
  });
  afterEach(() => queue.close());
}
