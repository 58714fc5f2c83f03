// BullMQ worker ⇄ work on a delivery: jobs in, done or delayed out; watched, swept and fed.
import { DelayedError, ErrorCode, WaitingError, Worker, type Job } from 'bullmq';
import type { Policy } from '../domain/retry.ts';
import type { Events } from '../events.ts';
import type { Budget } from './budget.ts';
import { createConsequences } from './consequences.ts';
import type { Deliveries } from './deliveries.ts';
import { QUEUE_NAME, type Keys } from './keys.ts';
import type { Pacer } from './pacer.ts';
import type { RedisConnection } from './redis.ts';
import { createWatchdog } from './watchdog.ts';
import { createWork, type Deliver } from './work.ts';

export type ConsumerParts = {
  redis: RedisConnection;
  keys: Keys;
  deliveries: Deliveries;
  budget: Budget;
  pacer: Pacer;
  deliver: Deliver;
  events: Events;
  policy: Policy;
  concurrency: number;
  clock: () => number;
  random: () => number;
};

export type Consumer = {
  /** Whether it makes progress while work waits. */
  isAlive: () => boolean;
  /** Stops taking work, gives back what waits for its turn, and resolves when the attempts in hand have ended. */
  close: () => Promise<void>;
};

/** A killed worker's deliveries come back after at most LOCK_MS + 2 × STALLED_CHECK_MS. */
const LOCK_MS = 20_000;
const STALLED_CHECK_MS = 10_000;
/** A stalled job is never failed: the record says how often it was tried. */
const NEVER = 1_000_000_000;
/** After a defect or trouble with Redis a delivery is tried again after this. */
const AFTER_TROUBLE_MS = 5000;
const SWEEP_EVERY_MS = 5000;
/** The line is fed at every turn; this is for what a worker that went away did not feed. */
const FEED_EVERY_MS = 500;

/** BullMQ's code for a job whose lock has run out, or belongs to another worker. */
const LOCK_GONE: readonly unknown[] = [ErrorCode.JobLockNotExist, ErrorCode.JobLockMismatch, ErrorCode.JobNotInState];

const isLockGone = (error: unknown): boolean =>
  error instanceof Error && LOCK_GONE.includes((error as { code?: unknown }).code);

/** Starts consuming the deliveries of a tenant. */
export function createConsumer(parts: ConsumerParts): Consumer {
  const { deliveries, events, clock } = parts;
  const stopping = new AbortController();
  const work = createWork({
    ...parts,
    consequences: createConsequences(parts.budget, events, clock, parts.random),
    onTurn: () => void feed(),
  });

  async function process(job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<void> {
    const id = job.id ?? '';
    const lockLost = signal ?? new AbortController().signal;
    try {
      const dueAt = await work(id, { stop: stopping.signal, lockLost });
      if (dueAt === null) return;
      await job.moveToDelayed(Math.max(dueAt, clock()), token);
    } catch (error) {
      if (stopping.signal.aborted && error === stopping.signal.reason) {
        await job.moveToWait(token);
        throw new WaitingError();
      }
      // Somebody else has the job by now: it is theirs to move.
      if (isLockGone(error)) events.stalled(id);
      else if (!lockLost.aborted) {
        events.defect(error, 'a delivery could not be worked on');
        await job.moveToDelayed(clock() + AFTER_TROUBLE_MS, token);
      }
    }
    throw new DelayedError();
  }

  const upkeep = <T>(work: () => Promise<T>, onDone: (result: T) => void = () => undefined) => {
    if (parts.redis.status !== 'ready') return Promise.resolve();
    return work().then(onDone, (error: unknown) =>
      events.redisTrouble(error instanceof Error ? error : new Error('upkeep of the queue failed')),
    );
  };

  let feeding = false;
  let hungry = false;

  /** One feeding at a time; asked meanwhile, it feeds once more. */
  async function feed(): Promise<void> {
    hungry = true;
    if (feeding) return;
    feeding = true;
    while (hungry) {
      hungry = false;
      await upkeep(deliveries.feed);
    }
    feeding = false;
  }

  let begun = 0;
  let inHand = 0;

  function startWorker(): Worker {
    const worker = new Worker(QUEUE_NAME, count(process), {
      connection: parts.redis,
      prefix: parts.keys.root,
      concurrency: parts.concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      skipVersionCheck: true,
    });
    worker.on('error', events.redisTrouble);
    worker.on('lockRenewalFailed', (ids) => ids.forEach((id) => worker.cancelJob(id, 'lock lost')));
    return worker;
  }

  function count<T extends unknown[]>(work: (...args: T) => Promise<void>): (...args: T) => Promise<void> {
    return (...args) => {
      begun += 1;
      inHand += 1;
      return work(...args).finally(() => (inHand -= 1));
    };
  }

  let worker = startWorker();
  const watchdog = createWatchdog({
    countWaiting: () => (parts.redis.status === 'ready' ? deliveries.countFetchable() : Promise.resolve(0)),
    hasRoom: () => inHand < parts.concurrency,
    countBegun: () => begun,
    onStarved: events.starved,
    clock,
    rebuild: async () => {
      const old = worker;
      worker = startWorker();
      // Attempts in hand end by themselves; the old worker is not waited for, it may never close.
      void old.close().catch(() => undefined);
      await worker.waitUntilReady();
    },
  });

  const sweep = () =>
    upkeep(
      () => deliveries.sweep(clock()),
      (woken) => woken > 0 && events.woken(woken),
    );
  const timers = [setInterval(() => void sweep(), SWEEP_EVERY_MS), setInterval(() => void feed(), FEED_EVERY_MS)];

  return {
    isAlive: watchdog.isAlive,
    close: async () => {
      timers.forEach(clearInterval);
      watchdog.close();
      stopping.abort();
      await worker.close();
    },
  };
}
