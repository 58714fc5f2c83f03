// Questions waiting to be put to the directory: a bounded BullMQ queue with one job per device.
import { Job, Queue } from 'bullmq';
import type { QuestionKind } from '../../domain/directory/consult.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { QUESTION_QUEUE_NAME, type Keys } from '../redis/keys.ts';

/**
 * The order in which questions are put, and how many may wait when another one of the kind is added. Anybody can cause
 * questions about unknown ids and other keys, so refreshes come first and always find room. A waiting question takes
 * about 600 bytes.
 */
const KINDS: Record<QuestionKind, { priority: number; room: number }> = {
  refresh: { priority: 1, room: 40_000 },
  unknown: { priority: 2, room: 30_000 },
  mismatch: { priority: 3, room: 20_000 },
};
const PRIORITIES = Object.values(KINDS).map(({ priority }) => priority);

/** Questions put per second by all workers. Reading a device by its id costs 1 of the 3,500 and more resource units per 10 s of a small tenant, which all its apps share: this takes a seventh. */
export const QUESTIONS_PER_SECOND = 50;

/** A question that fails by itself is put again after growing waits, and then dropped: its device will cause another. */
const ATTEMPTS = 5;
const RETRY_AFTER_MS = 1000;
/** The counts are as old as this at most, so that a flood of requests does not count again and again. */
const COUNTED_EVERY_MS = 100;

export type Waiting = {
  all: number;
  /** Questions that are put before a new one of this kind. */
  ahead: (kind: QuestionKind) => number;
};

export type Questions = {
  queue: Queue;
  /** @returns false if there is no room */
  ask: (deviceId: string, kind: QuestionKind) => Promise<boolean>;
  waiting: () => Promise<Waiting>;
  close: () => Promise<void>;
};

export function openQuestions(
  redis: RedisConnection,
  { root }: Pick<Keys, 'root'>,
  redisTrouble: (error: Error) => void,
): Questions {
  const queue = new Queue(QUESTION_QUEUE_NAME, {
    connection: redis,
    prefix: root,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    streams: { events: { maxLen: 100 } },
  });
  queue.on('error', redisTrouble);
  let counted: { at: number; waiting: Promise<Waiting> } | null = null;
  /** Added by this process since it counted. */
  let added = 0;

  async function count(): Promise<Waiting> {
    const [byPriority, { active = 0, delayed = 0, waiting = 0 }] = await Promise.all([
      queue.getCountsPerPriority(PRIORITIES),
      queue.getJobCounts('active', 'delayed', 'waiting'),
    ]);
    const ahead = (kind: QuestionKind) =>
      PRIORITIES.filter((priority) => priority <= KINDS[kind].priority).reduce(
        (sum, priority) => sum + (byPriority[priority] ?? 0),
        active + waiting,
      );
    return { all: ahead('mismatch') + delayed, ahead };
  }

  function waiting(): Promise<Waiting> {
    const now = performance.now();
    if (counted && now - counted.at < COUNTED_EVERY_MS) return counted.waiting;
    added = 0;
    const asked = { at: now, waiting: count() };
    counted = asked;
    asked.waiting.catch(() => {
      if (counted === asked) counted = null;
    });
    return asked.waiting;
  }

  /** A question that waits may become more urgent: a refresh must not stand behind what anybody can cause. */
  async function hurry(deviceId: string, priority: number): Promise<void> {
    const job = await Job.fromId(queue, deviceId);
    // If it ended meanwhile, it is answered.
    await job?.changePriority({ priority }).catch(() => undefined);
  }

  return {
    queue,
    ask: async (deviceId, kind) => {
      const { priority, room } = KINDS[kind];
      // BullMQ would write an event about a question that waits already, and devices that are told to come again do so often.
      const waitingPriority = await redis.hget(queue.toKey(deviceId), 'priority');
      if (waitingPriority !== null) {
        if (Number(waitingPriority) > priority) await hurry(deviceId, priority);
        return true;
      }
      if ((await waiting()).all + added >= room) return false;
      added += 1;
      await queue.add('device', null, {
        jobId: deviceId,
        priority,
        attempts: ATTEMPTS,
        backoff: { type: 'exponential', delay: RETRY_AFTER_MS, jitter: 0.5 },
        removeOnComplete: true,
        removeOnFail: true,
        stackTraceLimit: 1,
      });
      return true;
    },
    waiting,
    close: () => queue.close(),
  };
}
