// Sends the queued messages: one process takes each, and another one takes it over if that process dies.
import { UnrecoverableError, Worker, type Job, type Queue } from 'bullmq';
import type { Message } from '../../domain/announcements/announcement.ts';
import { retryDelayMs, TRIED_FOR_MS } from '../../domain/announcements/retry.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { ANNOUNCEMENT_QUEUE_NAME, type AnnouncementKeys } from '../redis/keys.ts';
import { createWatchdog } from '../jobs/watchdog.ts';
import type { AnnouncementEvents } from './announcement-events.ts';

/** What came of a request; the detail has no part of the address. */
export type Sent = { kind: 'taken'; detail: string } | { kind: 'failed'; detail: string };

/** Sends a message. Never throws, and always ends. */
export type Send = (message: Message) => Promise<Sent>;

type SenderParts = {
  redis: RedisConnection;
  keys: AnnouncementKeys;
  queue: Pick<Queue<Message>, 'getWaitingCount'>;
  send: Send;
  events: AnnouncementEvents;
  clock: () => number;
  random: () => number;
};

export type Sender = { close: () => Promise<void> };

const CONCURRENCY = 4;
/** A killed process's message is taken over after at most LOCK_MS + 2 × STALLED_CHECK_MS: within the 5 s in which an operator is told. */
const LOCK_MS = 3000;
const STALLED_CHECK_MS = 500;
const NEVER = 1_000_000_000;

export function createSender({ redis, keys, queue, send, events, clock, random }: SenderParts): Sender {
  let begun = 0;
  let running = 0;

  async function process({ data, timestamp, attemptsMade }: Job<Message>): Promise<void> {
    const sent = await send(data);
    const attempts = attemptsMade + 1;
    if (sent.kind === 'taken') {
      events.announced(data, attempts);
      return;
    }
    const isLast = clock() - timestamp >= TRIED_FOR_MS;
    events.announcementFailed(data, { attempts, detail: sent.detail, isLast });
    throw isLast ? new UnrecoverableError(sent.detail) : new Error(sent.detail);
  }

  async function counted(job: Job<Message>): Promise<void> {
    begun += 1;
    running += 1;
    await process(job).finally(() => (running -= 1));
  }

  function startWorker(): Worker<Message> {
    const worker = new Worker<Message>(ANNOUNCEMENT_QUEUE_NAME, counted, {
      connection: redis,
      prefix: keys.root,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
      skipVersionCheck: true,
      settings: { backoffStrategy: (attemptsMade: number) => Math.round(retryDelayMs(attemptsMade, random())) },
    });
    worker.on('error', events.redisTrouble);
    return worker;
  }

  let worker = startWorker();
  const watchdog = createWatchdog({
    countWaiting: () => (redis.status === 'ready' ? queue.getWaitingCount() : Promise.resolve(0)),
    hasRoom: () => running < CONCURRENCY,
    countBegun: () => begun,
    onStarved: () => undefined,
    clock: () => performance.now(),
    rebuild: async () => {
      const old = worker;
      worker = startWorker();
      void old.close().catch(() => undefined);
      await worker.waitUntilReady();
    },
  });

  return {
    close: async () => {
      watchdog.close();
      await worker.close();
    },
  };
}
