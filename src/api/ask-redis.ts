// Asks Redis on behalf of a caller who waits: within a deadline, and only while Redis is connected.
import pTimeout from 'p-timeout';
import type { RedisConnection } from '../queue/redis/connection.ts';

export type AskRedis = <T>(question: () => Promise<T>) => Promise<T>;

/** Without a connection it fails at once: in a worker, commands would otherwise queue up, more with each request. */
export function createAskRedis(redis: RedisConnection, withinMs: number): AskRedis {
  return async (question) => {
    if (redis.status !== 'ready') throw new Error('Redis is not connected');
    return pTimeout(question(), { milliseconds: withinMs });
  };
}
