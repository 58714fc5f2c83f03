// A bridge as its command line meets it: the API in its own process on a Redis of its own, and the tenant behind it.
import type { Tenant } from '../../src/queue/tenant.ts';
import { GROUP_KEY } from './device.ts';
import { startApi, type TestProcess } from './process.ts';
import { startTestRedis, type TestRedis } from './redis.ts';
import { openTestTenant } from './tenant.ts';

export type TestBridge = {
  redis: TestRedis;
  queue: Tenant;
  readonly api: TestProcess;
  url: string;
  /** Starts the API on its port again, once it has been closed. */
  startAgain: () => Promise<void>;
  close: () => Promise<void>;
};

/** It knows the tests' group key, unless `env` says otherwise. */
export async function startTestBridge(env: Record<string, string> = {}): Promise<TestBridge> {
  const redis = await startTestRedis();
  const queue = await openTestTenant(redis);
  const start = (port: number) =>
    startApi({ REDIS_URL: redis.url, DEVICE_GROUP_KEYS: GROUP_KEY, PORT: String(port), ...env });
  const started = await start(0);
  const { port, url } = started;
  let { api } = started;
  return {
    redis,
    queue,
    get api() {
      return api;
    },
    url,
    startAgain: async () => {
      ({ api } = await start(port));
    },
    close: async () => {
      await api.close();
      await queue.close();
      await redis.close();
    },
  };
}
