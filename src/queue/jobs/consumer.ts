// The BullMQ worker of a process: takes the jobs of all tenants, keeps their locks, and passes each to its tenant.
import { WaitingError, Worker, type Job } from 'bullmq';
import type { RedisConnection } from '../redis/connection.ts';
import { createLocks } from './job-locks.ts';
import { parseJobId, QUEUE_NAME, type JobQueue } from './job-queue.ts';
import { shortenLocks } from './lock-expiry.ts';
import { createWatchdog } from './watchdog.ts';

/**
 * `ended`: nothing is left to do · `left`: open, and gave up its job · `given-back`: not worked on, because its tenant
 * stops · `lost`: another worker has the job by now.
 */
export type JobEnd = 'ended' | 'left' | 'given-back' | 'lost';

export type TenantJobProcessor = {
  /** Works on a delivery. Never throws because of Graph; @throws if Redis does not keep what came of it. */
  process: (deliveryId: string, lockLost: AbortSignal) => Promise<JobEnd>;
  /** The job of a delivery that left is gone. */
  leftJobGone: (deliveryId: string) => void;
};

export type ConsumerEvents = {
  /** Jobs are waiting, but the worker fetches none. */
  starved: (starvedMs: number) => void;
  redisTrouble: (error: Error) => void;
};

export type ConsumerParts = { redis: RedisConnection; jobs: JobQueue; events: ConsumerEvents };

export type Consumer = {
  /** Passes the tenant's jobs to this processor, in place of an earlier one, until the returned function is called. */
  serve: (tenantId: string, processor: TenantJobProcessor) => () => void;
  /** Whether it makes progress while jobs are waiting. */
  isAlive: () => boolean;
  /** Takes no further jobs. */
  stop: () => void;
  /** Resolves when all its jobs have ended, which stopping the tenants hastens. */
  close: () => Promise<void>;
};

/** A killed worker's deliveries are taken over after at most LOCK_MS + 2 × STALLED_CHECK_MS. */
const LOCK_MS = 20_000;
const STALLED_CHECK_MS = 10_000;
/** Stalled jobs never fail: the delivery record counts attempts. */
const NEVER = 1_000_000_000;
const SHORTEN_EVERY_MS = 5000;
/**
 * A job that waits for a permit costs memory alone: the slots bound the attempts, and the waiting list bounds the jobs of
 * each tenant. A bound here would let a throttled tenant's jobs keep out those of others.
 */
const JOBS_AT_ONCE = 1_000_000;

export function createConsumer({ redis, jobs, events }: ConsumerParts): Consumer {
  const processors = new Map<string, TenantJobProcessor>();
  /** Jobs that end although their deliveries have not: the tenant's processor is told once they are gone. */
  const left = new Set<string>();
  let begun = 0;

  async function process(job: Job, token = ''): Promise<void> {
    begun += 1;
    const jobId = job.id ?? '';
    const { tenantId, deliveryId } = parseJobId(jobId);
    const processor = processors.get(tenantId);
    // Its deliveries get jobs again when the tenant is opened here or elsewhere.
    if (!processor) return;
    const lockLost = locks.keep(jobId, token);
    try {
      const end = await processor.process(deliveryId, lockLost);
      if (end === 'left') left.add(jobId);
      if (end === 'given-back') await job.moveToWait(token);
      if (end === 'given-back' || end === 'lost') throw new WaitingError();
    } finally {
      locks.release(jobId, token);
    }
  }

  function startWorker(): Worker {
    const started = new Worker(QUEUE_NAME, process, {
      connection: redis,
      prefix: jobs.root,
      concurrency: JOBS_AT_ONCE,
      lockDuration: LOCK_MS,
      skipLockRenewal: true,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      skipVersionCheck: true,
    });
    started.on('error', events.redisTrouble);
    started.on('completed', ({ id = '' }) => {
      if (!left.delete(id)) return;
      const { tenantId, deliveryId } = parseJobId(id);
      processors.get(tenantId)?.leftJobGone(deliveryId);
    });
    return started;
  }

  let worker = startWorker();
  const locks = createLocks((...asked) => worker.extendJobLocks(...asked), LOCK_MS, events.redisTrouble);
  const watchdog = createWatchdog({
    countWaiting: () => (redis.status === 'ready' ? jobs.countWaiting() : Promise.resolve(0)),
    hasRoom: () => true,
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
  const shortening = setInterval(() => {
    if (redis.status !== 'ready') return;
    shortenLocks(redis, jobs, { lockMs: LOCK_MS, stalledCheckMs: STALLED_CHECK_MS }).catch((error: unknown) =>
      events.redisTrouble(error instanceof Error ? error : new Error('locks could not be looked after')),
    );
  }, SHORTEN_EVERY_MS);

  let closing: Promise<void> | null = null;
  function stop(): void {
    clearInterval(shortening);
    watchdog.close();
    closing ??= worker.close();
    closing.catch(() => undefined);
  }

  return {
    serve: (tenantId, processor) => {
      processors.set(tenantId, processor);
      return () => {
        if (processors.get(tenantId) === processor) processors.delete(tenantId);
      };
    },
    isAlive: watchdog.isAlive,
    stop,
    close: async () => {
      stop();
      await closing;
      locks.close();
    },
  };
}
