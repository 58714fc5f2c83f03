// The clocks of a process's tenants: one for all of them, unless they are on different nodes of a Redis Cluster.
import { openRedisClock, type RedisClock } from './clock.ts';
import type { RedisConnection } from './connection.ts';

/** Opens the clock of the node that holds a key. */
export type OpenClock = (key: string) => Promise<RedisClock>;

/** @param root prefix of any keys */
export async function openClocks(
  redis: RedisConnection,
  root: string,
): Promise<{ open: OpenClock; close: () => void }> {
  if (redis.isCluster) return { open: (key) => openRedisClock(redis, key), close: () => undefined };
  const clock = await openRedisClock(redis, `${root}:clock`);
  return { open: () => Promise.resolve({ ...clock, close: () => undefined }), close: clock.close };
}
