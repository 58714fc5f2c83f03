// Shortens the expiry of BullMQ's locks after Redis's clock stepped back: they expire by the wall clock and would last too long.
import { QUEUE_NAME, type Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';

/** The lifetimes BullMQ sets for these keys. */
export type Lifetimes = { lockMs: number; stalledCheckMs: number };

/**
 * Otherwise a killed worker would keep its deliveries for as long as the clock stepped back: its locks would not expire,
 * and no worker would check for stalled jobs.
 */
export async function shortenLocks(
  redis: RedisConnection,
  { root }: Pick<Keys, 'root'>,
  { lockMs, stalledCheckMs }: Lifetimes,
): Promise<void> {
  const queue = `${root}:${QUEUE_NAME}`;
  const shorten = async (key: string, longestMs: number) => {
    if ((await redis.pttl(key)) > longestMs) await redis.pexpire(key, longestMs);
  };
  // At most as long as the concurrency of all workers together.
  const active = await redis.lrange(`${queue}:active`, 0, -1);
  await Promise.all([
    shorten(`${queue}:stalled-check`, stalledCheckMs),
    ...active.map((id) => shorten(`${queue}:${id}:lock`, lockMs)),
  ]);
}
