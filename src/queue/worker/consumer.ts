// The BullMQ worker: runs deliveries; with a watchdog, a sweep for lost jobs, and promotion from the waiting list.
import { WaitingError, Worker, type Job } from 'bullmq';
import type { Policy } from '../../domain/attempt/retry-policy.ts';
import type { Budget } from '../budget/budget.ts';
import { createTenantEffects } from './tenant-effect.ts';
import type { Deliveries } from '../store/deliveries.ts';
import type { StoredGraphFacts } from '../budget/stored-graph-facts.ts';
import { QUEUE_NAME, type Keys } from '../redis/keys.ts';
import { createLocks } from './job-locks.ts';
import { shortenLocks } from './lock-expiry.ts';
import type { PermitQueue } from '../budget/permit-queue.ts';
import { isRefused } from '../redis/redis-errors.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { ConsumerEvents } from './consumer-events.ts';
import { createWatchdog } from './watchdog.ts';
import { createDeliveryProcessor, type Deliver, type Leaving } from './process-delivery.ts';

export type ConsumerParts = {
  redis: RedisConnection;
  keys: Keys;
  deliveries: Deliveries;
  budget: Budget;
  facts: StoredGraphFacts;
  permits: PermitQueue;
  deliver: Deliver;
  events: ConsumerEvents;
  policy: Policy;
  concurrency: number;
  clock: () => number;
  random: () => number;
};

export type Consumer = {
  /** Whether it makes progress while jobs are waiting. */
  isAlive: () => boolean;
  /** Stops taking jobs, gives back those still waiting for a permit, and resolves when running attempts have ended. */
  close: () => Promise<void>;
};

/** A killed worker's deliveries are taken over after at most LOCK_MS + 2 × STALLED_CHECK_MS. */
const LOCK_MS = 20_000;
const STALLED_CHECK_MS = 10_000;
/** Stalled jobs never fail: the delivery record counts attempts. */
const NEVER = 1_000_000_000;
/** Delay before a delivery is tried again after a defect or a problem with Redis. */
const AFTER_TROUBLE_MS = 5000;
const SWEEP_EVERY_MS = 5000;
/** Promotion runs with every permit; this interval covers what a worker that went away did not promote. */
const PROMOTE_EVERY_MS = 500;

/** Starts consuming the deliveries of a tenant. */
export function createConsumer(parts: ConsumerParts): Consumer {
  const { deliveries, events, clock } = parts;
  const stopping = new AbortController();
  const processDelivery = createDeliveryProcessor({
    ...parts,
    applyTenantEffect: createTenantEffects({ budget: parts.budget, events, clock, random: parts.random }),
    giveBack: parts.budget.giveBack,
    onPermit: () => void promote(),
    onRefused: events.redisTrouble,
  });
  /** Deliveries that gave up their job, until the job is gone. */
  const leaving = new Set<string>();

  async function process(job: Job, token = ''): Promise<void> {
    const id = job.id ?? '';
    const lockLost = locks.keep(id, token);
    try {
      const left = await processDelivery(id, { stop: stopping.signal, lockLost });
      if (left) await leave(id, left);
    } catch (error) {
      if (stopping.signal.aborted && error === stopping.signal.reason) {
        // If it was chosen as a probe, another delivery may be the probe now.
        await parts.budget.giveBack(id).catch(() => undefined);
        await job.moveToWait(token);
        throw new WaitingError();
      }
      // Another worker has the job by now and will move it.
      if (lockLost.aborted) throw new WaitingError();
      if (isRefused(error)) events.redisTrouble(error);
      else events.defect(error, 'a delivery could not be worked on');
      leaving.add(id);
      await deliveries.putOff(id, AFTER_TROUBLE_MS);
    } finally {
      locks.release(id, token);
    }
  }

  const upkeep = <T>(work: () => Promise<T>, onDone: (result: T) => void = () => undefined) => {
    if (parts.redis.status !== 'ready') return Promise.resolve();
    return work().then(onDone, (error: unknown) =>
      events.redisTrouble(error instanceof Error ? error : new Error('upkeep of the queue failed')),
    );
  };

  async function leave(id: string, left: Leaving): Promise<void> {
    leaving.add(id);
    if (left !== 'put-off') await deliveries.park(id, left.heldBy);
  }

  /** The delivery may have become due before its job was gone, and then it got no new job. */
  function jobGone(id: string): void {
    if (leaving.delete(id)) void upkeep(() => deliveries.enqueueIfDue(id)).then(promote);
  }

  let promoting = false;
  let askedAgain = false;
  let nextPromotion: NodeJS.Timeout | undefined;

  /** Promotes, one call at a time; a request in between causes one more. Schedules itself for the next retry or probe. */
  async function promote(): Promise<void> {
    askedAgain = true;
    if (promoting || stopping.signal.aborted) return;
    promoting = true;
    clearTimeout(nextPromotion);
    while (askedAgain) {
      askedAgain = false;
      await upkeep(deliveries.promote, ({ nextInMs }) => {
        if (nextInMs === 0) askedAgain = true;
        else if (nextInMs !== null && nextInMs < PROMOTE_EVERY_MS)
          nextPromotion = setTimeout(() => void promote(), nextInMs);
      });
    }
    promoting = false;
  }

  let begun = 0;
  let running = 0;

  function startWorker(): Worker {
    const worker = new Worker(QUEUE_NAME, count(process), {
      connection: parts.redis,
      prefix: parts.keys.root,
      concurrency: parts.concurrency,
      lockDuration: LOCK_MS,
      skipLockRenewal: true,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      skipVersionCheck: true,
    });
    worker.on('error', events.redisTrouble);
    worker.on('completed', (job) => jobGone(job.id ?? ''));
    return worker;
  }

  function count<T extends unknown[]>(work: (...args: T) => Promise<void>): (...args: T) => Promise<void> {
    return (...args) => {
      begun += 1;
      running += 1;
      return work(...args).finally(() => (running -= 1));
    };
  }

  let worker = startWorker();
  const locks = createLocks((...asked) => worker.extendJobLocks(...asked), LOCK_MS, events.redisTrouble);
  const watchdog = createWatchdog({
    countWaiting: () => (parts.redis.status === 'ready' ? deliveries.countFetchable() : Promise.resolve(0)),
    hasRoom: () => running < parts.concurrency,
    countBegun: () => begun,
    onStarved: events.starved,
    clock: () => performance.now(),
    rebuild: async () => {
      const old = worker;
      worker = startWorker();
      // Running attempts end by themselves; the old worker is not awaited, as it may never close.
      void old.close().catch(() => undefined);
      await worker.waitUntilReady();
    },
  });

  const sweep = () =>
    upkeep(
      () => deliveries.sweep(clock()),
      (woken) => woken > 0 && events.woken(woken),
    );
  const shorten = () =>
    upkeep(() => shortenLocks(parts.redis, parts.keys, { lockMs: LOCK_MS, stalledCheckMs: STALLED_CHECK_MS }));
  const timers = [
    setInterval(() => void Promise.all([sweep(), shorten()]), SWEEP_EVERY_MS),
    setInterval(() => void promote(), PROMOTE_EVERY_MS),
  ];

  return {
    isAlive: watchdog.isAlive,
    close: async () => {
      timers.forEach(clearInterval);
      clearTimeout(nextPromotion);
      watchdog.close();
      stopping.abort();
      await worker.close();
      locks.close();
    },
  };
}
