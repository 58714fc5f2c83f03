// The BullMQ jobs of the tenant `default`, as they are in a test's Redis.
import type { RedisConnection } from '../../src/queue/redis/connection.ts';
import { DEFAULT_TENANT } from '../../src/config/tenants/tenant.ts';
import { parseJobId, QUEUE_NAME, toJobId } from '../../src/queue/jobs/job-queue.ts';
import { createJobsRoot } from '../../src/queue/redis/keys.ts';

/** Prefix of BullMQ's keys. */
export const JOBS = `${createJobsRoot('runstate')}:${QUEUE_NAME}`;
export const WAITING_JOBS = `${JOBS}:wait`;
export const jobKey = (deliveryId: string): string => `${JOBS}:${toJobId(DEFAULT_TENANT, deliveryId)}`;

/** The deliveries that have a job waiting, the last added first. */
export async function waitingJobs(redis: RedisConnection): Promise<string[]> {
  return (await redis.lrange(WAITING_JOBS, 0, -1)).map((jobId) => parseJobId(jobId).deliveryId);
}

/** Takes the job of a delivery away, as where the process died that should have added it. */
export async function removeJob(redis: RedisConnection, deliveryId: string): Promise<void> {
  await redis.del(jobKey(deliveryId));
  await redis.lrem(WAITING_JOBS, 0, toJobId(DEFAULT_TENANT, deliveryId));
}

/** Takes the job that would be worked on next. @returns its delivery */
export async function takeJob(redis: RedisConnection): Promise<string | null> {
  const jobId = await redis.rpop(WAITING_JOBS);
  if (jobId === null) return null;
  const { deliveryId } = parseJobId(jobId);
  await redis.del(jobKey(deliveryId));
  return deliveryId;
}
