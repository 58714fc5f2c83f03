// Queues what waits to be announced as messages: a BullMQ job each, which only one process sends.
import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import type { Announcement, AnnouncementType, Message } from '../../domain/announcements/announcement.ts';
import { toMessages } from '../../domain/announcements/messages.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { ANNOUNCEMENT_QUEUE_NAME, type AnnouncementKeys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';

export type Outbox = {
  queue: Queue<Message>;
  /** Queues what waits, if its time has come. */
  queueMessages: () => Promise<void>;
  close: () => Promise<void>;
};

/** So that what one event causes comes together: hundreds of configurations may be held at once. */
export const COLLECT_MS = 500;
/** In a storm, such as a hold that comes and goes, there is a batch a minute once this many were sent. */
const ALLOWANCE = { batches: 10, refillMs: 60_000 };
/** While a receiver takes nothing, what happens is collected rather than queued. */
const MOST_QUEUED = 100;
/** More than a day at the longest waits; the time decides when a message is given up. */
const ATTEMPTS = 100;
/** A batch that is queued again finds the jobs that were sent already, and adds none. */
const REMEMBERED = { age: 3600, count: 1000 };

type Taken = [id: string, announcements: string[], lost: string[]] | 0;

export function openOutbox(
  redis: RedisConnection,
  keys: AnnouncementKeys,
  redisTrouble: (error: Error) => void,
): Outbox {
  const takeScript = scriptOf(redis, 'announcements/take-batch');
  const endScript = scriptOf(redis, 'announcements/end-batch');
  const queue = new Queue<Message>(ANNOUNCEMENT_QUEUE_NAME, {
    connection: redis,
    prefix: keys.root,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    streams: { events: { maxLen: 100 } },
  });
  queue.on('error', redisTrouble);

  async function countQueued(): Promise<number> {
    const { waiting = 0, active = 0, delayed = 0 } = await queue.getJobCounts('waiting', 'active', 'delayed');
    return waiting + active + delayed;
  }

  return {
    queue,
    queueMessages: async () => {
      if ((await countQueued()) >= MOST_QUEUED) return;
      const id = randomUUID();
      const args = [id, COLLECT_MS, ALLOWANCE.batches, ALLOWANCE.refillMs];
      const taken = (await takeScript([keys.pending, keys.rounds], args)) as Taken;
      if (taken === 0) return;
      await queue.addBulk(
        toMessages(toBatch(taken)).map((message) => ({
          name: message.type,
          data: message,
          opts: {
            jobId: message.id,
            attempts: ATTEMPTS,
            backoff: { type: 'custom' },
            removeOnComplete: REMEMBERED,
            removeOnFail: REMEMBERED,
            stackTraceLimit: 0,
          },
        })),
      );
      await endScript([keys.pending, keys.rounds], [taken[0]]);
    },
    close: () => queue.close(),
  };
}

function toBatch([id, announcements, lost]: Exclude<Taken, 0>) {
  return {
    id,
    announcements: announcements.map((text) => JSON.parse(text) as Announcement),
    lost: lost.flatMap((type, index) =>
      index % 2 === 0 ? [{ type: type as AnnouncementType, lost: Number(lost[index + 1]) }] : [],
    ),
  };
}
