// Shortens the expiry of BullMQ's locks where Redis's clock stepped back: they expire by the wall clock, and would last too long.
import { QUEUE_NAME, type Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';

/** How long BullMQ sets these keys for. */
export type Lifetimes = { lockMs: number; stalledCheckMs: number };

/**
 * Otherwise the deliveries of a worker that was killed would stay with it for as long as the clock stepped back: their
 * locks would not expire, and nobody would look for stalled jobs.
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
  // No longer than the attempts of all workers together.
  const active = await redis.lrange(`${queue}:active`, 0, -1);
  await Promise.all([
    shorten(`${queue}:stalled-check`, stalledCheckMs),
    ...active.map((id) => shorten(`${queue}:${id}:lock`, lockMs)),
  ]);
}
