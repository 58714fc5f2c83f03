// One BullMQ worker for several tenants: each gets its own jobs, and none waits for another's attempts.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Outcome } from '../../../src/domain/delivery.ts';
import { createPermitQueue } from '../../../src/queue/budget/permit-queue.ts';
import { createConsumer, type Consumer } from '../../../src/queue/jobs/consumer.ts';
import { createSlots, type Slots } from '../../../src/queue/worker/slots.ts';
import { createTenantConsumer, type TenantConsumer } from '../../../src/queue/worker/tenant-consumer.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, POLICY, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const CONCURRENCY = 4;
const events = createEvents(createLog('worker', 'silent'), createMetrics());

let redis: TestRedis;
let [a, b] = [] as unknown as [OwnTenant, OwnTenant];
let consumer: Consumer;
let slots: Slots;
let processors: TenantConsumer[];

startFreshRedis((started) => void (redis = started));
beforeEach(async () => {
  [a, b] = [await openTestTenant(redis, { id: 'a' }), await openTestTenant(redis, { id: 'b' })];
  consumer = createConsumer({ redis: a.redis, jobs: a.jobs, events });
  slots = createSlots(CONCURRENCY);
  processors = [];
});
afterEach(async () => {
  consumer.stop();
  await Promise.all(processors.map((processor) => processor.close()));
  await consumer.close();
  await a.close();
  await b.close();
});

const created = (id: string): Outcome => ({
  kind: 'created',
  deviceRunStateId: id,
  graph: { status: 201, requestId: 'q' },
});

/** @returns a function that ends it */
function serve(tenant: OwnTenant, attempt: (runId: string) => Promise<Outcome>): () => void {
  const processor = createTenantConsumer({
    ...tenant,
    permits: createPermitQueue(tenant.budget, slots.ofTenant(tenant.id).take),
    deliver: (_delivery, run) => attempt(run.runId),
    events,
    policy: POLICY,
    clock: Date.now,
    random: () => 0.5,
  });
  processors.push(processor);
  return consumer.serve(tenant.id, processor);
}

const acceptAll = (tenant: OwnTenant, count: number) =>
  Promise.all(Array.from({ length: count }, (_, number) => tenant.deliveries.accept(aRun(number), Date.now())));
const delivered = async (tenant: OwnTenant) => (await tenant.deliveries.counts()).delivered;

test('attempts of one tenant that never end · leave half of all to others · whose results are delivered', async () => {
  const hanging = Promise.withResolvers<Outcome>();
  let under = 0;
  serve(a, () => {
    under += 1;
    return hanging.promise;
  });
  serve(b, (runId) => Promise.resolve(created(`b-${runId}`)));
  await acceptAll(a, 50);
  await until('a has all it may have', () => under === CONCURRENCY / 2);
  await acceptAll(b, 10);
  await until('all of b is delivered', async () => (await delivered(b)) === 10);
  expect(under).toBe(CONCURRENCY / 2);
  hanging.resolve({ kind: 'rejected', status: 404, detail: '404', graph: { status: 404, code: null, requestId: 'q' } });
});

test('a throttled tenant · keeps its jobs · and nobody else out', async () => {
  serve(a, (runId) => Promise.resolve(created(`a-${runId}`)));
  serve(b, (runId) => Promise.resolve(created(`b-${runId}`)));
  await a.budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 60_000, random: 0 });
  await acceptAll(a, 50);
  await acceptAll(b, 10);
  await until('all of b is delivered', async () => (await delivered(b)) === 10);
  expect(await a.deliveries.counts()).toMatchObject({ queued: 50, delivered: 0 });
});

test('runs of the same name · are each its own tenant’s · and created once', async () => {
  const tried: string[] = [];
  for (const tenant of [a, b]) {
    serve(tenant, (runId) => {
      tried.push(`${tenant.id}-${runId}`);
      return Promise.resolve(created(`${tenant.id}-${runId}`));
    });
  }
  await acceptAll(a, 3);
  await acceptAll(b, 3);
  await until('all are delivered', async () => (await delivered(a)) === 3 && (await delivered(b)) === 3);
  expect(tried.sort()).toEqual(['a-run-0', 'a-run-1', 'a-run-2', 'b-run-0', 'b-run-1', 'b-run-2']);
});

test('a job of a tenant that is not served here · is gone · and its delivery kept for when it is', async () => {
  await acceptAll(a, 1);
  await until('the job is gone', async () => (await a.jobs.countWaiting()) === 0);
  expect(await a.deliveries.counts()).toMatchObject({ queued: 1 });
  serve(a, (runId) => Promise.resolve(created(runId)));
  await a.deliveries.sweep(Date.now() + 60_000);
  await until('it is delivered', async () => (await delivered(a)) === 1);
});
