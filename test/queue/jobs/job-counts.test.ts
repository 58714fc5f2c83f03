// The count of BullMQ's jobs: each state by its own number.
import { Queue, Worker } from 'bullmq';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countJobs } from '../../../src/queue/jobs/job-counts.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

let redis: TestRedis;
let queue: Queue;

beforeAll(async () => {
  redis = await startTestRedis();
  queue = new Queue('counted', { connection: redis.client, skipVersionCheck: true });
  await queue.waitUntilReady();
});
afterAll(async () => {
  await queue.close();
  await redis.close();
});

test('jobs in every state · are counted · each state by itself', async () => {
  expect(await countJobs(queue)).toEqual({ waiting: 0, prioritized: 0, active: 0, delayed: 0 });
  const worker = new Worker('counted', null, { connection: redis.client, autorun: false, skipVersionCheck: true });
  await queue.add('taken', {});
  await worker.getNextJob('a token');
  await queue.addBulk(
    [{}, {}, { delay: 60_000 }, { delay: 60_000 }, { delay: 60_000 }].map((opts) => ({ name: 'one', data: {}, opts })),
  );
  await queue.addBulk([1, 2, 3, 4].map((priority) => ({ name: 'one', data: {}, opts: { priority } })));
  const counts = await countJobs(queue);
  await worker.close();
  expect(counts).toEqual({ waiting: 2, prioritized: 4, active: 1, delayed: 3 });
});
