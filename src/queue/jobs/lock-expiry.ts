// Shortens the expiry of BullMQ's locks after Redis's clock stepped back: they expire by the wall clock and would last too long.
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';
import { QUEUE_NAME, type JobQueue } from './job-queue.ts';

/** The lifetimes BullMQ sets for these keys. */
export type Lifetimes = { lockMs: number; stalledCheckMs: number };

/** Active jobs looked at in one script, which blocks Redis. */
const SLICE = 1000;

/**
 * Otherwise a killed worker would keep its deliveries for as long as the clock stepped back: its locks would not expire,
 * and no worker would check for stalled jobs.
 */
export async function shortenLocks(
  redis: RedisConnection,
  { root }: Pick<JobQueue, 'root'>,
  { lockMs, stalledCheckMs }: Lifetimes,
): Promise<void> {
  const queue = `${root}:${QUEUE_NAME}`;
  const shortenScript = scriptOf(redis, 'jobs/shorten-locks');
  for (let first = 0, active = SLICE; first < active; first += SLICE) {
    const args = [`${queue}:`, lockMs, stalledCheckMs, first, first + SLICE - 1];
    active = Number(await shortenScript([`${queue}:active`, `${queue}:stalled-check`], args));
  }
}
