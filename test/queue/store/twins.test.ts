// Two runs that say the same: their records in Graph cannot be told apart, and still each delivery ends with one of its own.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Delivery, Outcome } from '../../../src/domain/delivery.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { startConsumer } from '../../support/consume.ts';
import { createDeliver } from '../../../workers/deliver.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, POLICY } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());

const lost: Outcome = { kind: 'uncertain', detail: '504', graph: null };

test.each([
  ['was made', 2],
  ['was not made', 1],
])('a record taken by a twin whose own record %s · they change places · one each in the end', async (_, made) => {
  await redis.client.flushall();
  const queue = await openTestTenant(redis);
  const records: string[] = [];
  const slow = Promise.withResolvers<undefined>();
  const create = async (): Promise<Outcome> => {
    const turn = turns++;
    // The first create's answer is lost, and so is its record where only one is made.
    if (turn === 0 && made === 1) return lost;
    records.unshift(`record-${turn}`);
    if (turn === 0) return lost;
    // The second's answer is so slow that its record is found first by the other.
    if (turn === 1) await slow.promise;
    return { kind: 'created', deviceRunStateId: `record-${turn}`, graph: { status: 201, requestId: 'q' } };
  };
  let turns = 0;
  const consumer = startConsumer(queue, {
    deliver: createDeliver({
      create,
      find: () => Promise.resolve({ kind: 'records', ids: [...records], requestId: 'q' }),
      claimable: queue.deliveries.unclaimed,
    }),
    events: createEvents(createLog('worker', 'silent'), createMetrics()),
    policy: POLICY,
    concurrency: 10,
    clock: Date.now,
    random: () => 0.5,
  });
  const accepted = await Promise.all(
    ['twin-1', 'twin-2'].map((runId) => queue.deliveries.accept({ ...aRun(1), runId }, Date.now())),
  );
  const ids = accepted.map((answer) => (answer.kind === 'conflict' ? '' : answer.delivery.id));
  const found = () => Promise.all(ids.map((id) => queue.deliveries.find(id)));
  const isDelivered = (delivery: Delivery | null) => delivery?.status === 'delivered';

  await until('the first has taken a record', async () => ((await found()).some(isDelivered) ? true : null));
  slow.resolve(undefined);
  const ended = await until('both are delivered', async () => {
    const deliveries = await found();
    return deliveries.every(isDelivered) ? deliveries : null;
  });

  expect(ended.map((delivery) => delivery?.deviceRunStateId).sort()).toEqual([...records].sort());
  expect(records).toHaveLength(2);
  await consumer.close();
  await queue.close();
});
