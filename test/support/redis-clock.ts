// A settable clock for the scripts of a connection, so that hours of Redis's time pass in milliseconds.
import type { RedisConnection } from '../../src/queue/redis/connection.ts';

const CLOCK_KEY = 'clock-of-the-test';

/** Makes scripts defined on this connection from now on read the clock set by `setTime`. */
export function scriptClock(redis: RedisConnection): void {
  replaceTime(redis, `redis.call('HMGET', '${CLOCK_KEY}', 's', 'us')`);
}

/** @param now milliseconds since 1970, down to a microsecond. @returns the instant the scripts will see */
export async function setTime(redis: RedisConnection, now: number): Promise<number> {
  const us = Math.round(now * 1000);
  await redis.hset(CLOCK_KEY, { s: Math.floor(us / 1_000_000), us: us % 1_000_000 });
  return Math.floor(us / 1_000_000) * 1000 + (us % 1_000_000) / 1000;
}

/** Makes scripts defined from now on get the time `{seconds, microseconds}` from this Lua instead of Redis. */
export function replaceTime(redis: RedisConnection, lua: string): void {
  const define = redis.defineCommand.bind(redis);
  redis.defineCommand = (name, definition) => {
    define(name, { ...definition, lua: definition.lua.replaceAll(`redis.call('TIME')`, lua) });
  };
}
