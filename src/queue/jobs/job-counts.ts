// Counts BullMQ jobs by state, with a single script in Redis that only reads lengths, so its cost does not depend on the queue.
import type { Queue } from 'bullmq';

/** Completed jobs are removed at once and jobs never fail, so the other states stay empty. */
const JOB_STATES = ['waiting', 'prioritized', 'active', 'delayed'] as const;

export type JobCounts = Record<(typeof JOB_STATES)[number], number>;

/** Counts the jobs of a queue, in one round trip. */
export async function countJobs(queue: Queue): Promise<JobCounts> {
  return (await queue.getJobCounts(...JOB_STATES)) as JobCounts;
}
