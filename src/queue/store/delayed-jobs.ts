// Takes over jobs that an earlier version delayed in BullMQ by the wall clocks of its processes.
import type { Queue } from 'bullmq';
import type { Delivery } from '../../domain/delivery.ts';
import type { WaitingList } from './waiting-list.ts';
import type { RedisConnection } from '../redis/connection.ts';

/** The score of a delayed BullMQ job is its time in ms multiplied by this, leaving room for a sequence number. */
const SCORE_PER_MS = 4096;
const TAKEN_AT_ONCE = 500;

type Parts = {
  redis: RedisConnection;
  queue: Queue;
  waitingList: Pick<WaitingList, 'putOff'>;
  find: (id: string) => Promise<Delivery | null>;
  /** No attempt is delayed for longer than this: a job that is was delayed by a wrong clock. */
  longestWaitMs: number;
};

/** Gives such jobs the rest of their delay; deliveries that were never tried are due immediately. */
export function createTakeOver({ redis, queue, waitingList, find, longestWaitMs }: Parts): () => Promise<void> {
  const delayed = queue.toKey('delayed');

  async function takeOver(id: string, score: number): Promise<void> {
    if ((await queue.remove(id)) === 0) return;
    const leftMs = score / SCORE_PER_MS - Date.now();
    const delivery = await find(id).catch(() => null);
    await waitingList.putOff(id, delivery?.status === 'queued' || leftMs > longestWaitMs ? 0 : leftMs);
  }

  return async () => {
    const slice = await redis.zrange(delayed, '0', String(TAKEN_AT_ONCE - 1), 'WITHSCORES');
    for (let index = 0; index < slice.length; index += 2) {
      await takeOver(slice[index] ?? '', Number(slice[index + 1]));
    }
  };
}
