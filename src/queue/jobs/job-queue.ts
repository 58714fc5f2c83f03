// The BullMQ queue of all tenants: a job only names a delivery, so one BullMQ worker per process serves any number of tenants.
import { Queue } from 'bullmq';
import { createJobsRoot } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { countJobs, type JobCounts } from './job-counts.ts';

export const QUEUE_NAME = 'deliveries';

export type JobQueue = {
  queue: Queue;
  /** Prefix of BullMQ's keys. */
  root: string;
  /** Jobs a worker could take now. */
  countWaiting: () => Promise<number>;
  /** Jobs by BullMQ's states. */
  count: () => Promise<JobCounts>;
  ofTenant: (tenantId: string) => TenantJobs;
  /** Leaves the connection open. */
  close: () => Promise<void>;
};

export type TenantJobs = {
  /** Adds a job for each delivery; existing jobs are kept. */
  enqueue: (deliveryIds: readonly string[]) => Promise<void>;
  has: (deliveryId: string) => Promise<boolean>;
};

/** In place of a delivery's id: wakes the tenant's directory reader. No delivery has this id. */
export const READER_JOB = 'questions';

/** The same: wakes a worker that drives the tenant's replay. */
export const REPLAY_JOB = 'replay';

/** Length of BullMQ's event stream; our history is in the delivery records. */
const EVENTS_KEPT = 1000;
/** Neither a tenant's id nor a delivery's contains it, and it needs no escape in a URL. */
const SEPARATOR = '.';

export const toJobId = (tenantId: string, deliveryId: string): string => `${tenantId}${SEPARATOR}${deliveryId}`;

export function parseJobId(jobId: string): { tenantId: string; deliveryId: string } {
  const at = jobId.indexOf(SEPARATOR);
  return { tenantId: jobId.slice(0, Math.max(0, at)), deliveryId: jobId.slice(at + 1) };
}

/** @param prefix of all keys */
export function openJobQueue(
  connection: RedisConnection,
  prefix: string,
  redisTrouble: (error: Error) => void,
): JobQueue {
  const root = createJobsRoot(prefix);
  const queue = new Queue(QUEUE_NAME, {
    connection,
    prefix: root,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    streams: { events: { maxLen: EVENTS_KEPT } },
  });
  queue.on('error', redisTrouble);
  return {
    queue,
    root,
    countWaiting: () => queue.getWaitingCount(),
    count: () => countJobs(queue),
    ofTenant: (tenantId) => ({
      enqueue: async (deliveryIds) => {
        await Promise.all(deliveryIds.map((id) => queue.add('deliver', {}, { jobId: toJobId(tenantId, id) })));
      },
      has: async (id) => (await connection.exists(queue.toKey(toJobId(tenantId, id)))) === 1,
    }),
    close: () => queue.close(),
  };
}
