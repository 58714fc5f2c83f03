// How many BullMQ jobs are in each state: one script in Redis that takes lengths, however long the queue is.
import type { Queue } from 'bullmq';

/** A job that has run is gone at once, and none ever fails, so other states stay empty. */
const JOB_STATES = ['waiting', 'prioritized', 'active', 'delayed'] as const;

export type JobCounts = Record<(typeof JOB_STATES)[number], number>;

/** Counts the jobs of a queue, in one round trip. */
export async function countJobs(queue: Queue): Promise<JobCounts> {
  return (await queue.getJobCounts(...JOB_STATES)) as JobCounts;
}
