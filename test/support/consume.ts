// A worker of one tenant, whose attempts a test scripts.
import { createPermitQueue, type PermitQueue } from '../../src/queue/budget/permit-queue.ts';
import { createConsumer, type Consumer } from '../../src/queue/jobs/consumer.ts';
import type { Deliver } from '../../src/queue/worker/process-delivery.ts';
import { createSlots } from '../../src/queue/worker/slots.ts';
import { createTenantConsumer } from '../../src/queue/worker/tenant-consumer.ts';
import { createEvents, type Events } from '../../src/telemetry/events.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { Policy } from '../../src/domain/attempt/retry-policy.ts';
import { POLICY, type OwnTenant } from './tenant.ts';

export type TestConsumer = Pick<Consumer, 'isAlive'> & { close: () => Promise<void> };

export type TestConsumerParts = {
  deliver: Deliver;
  events?: Events;
  policy?: Policy;
  /** Attempts at once. */
  concurrency?: number;
  clock?: () => number;
  random?: () => number;
  permits?: PermitQueue;
};

export function startConsumer(
  tenant: OwnTenant,
  {
    events = createEvents(createLog('worker', 'silent'), createMetrics()),
    policy = POLICY,
    concurrency = 10,
    clock = Date.now,
    random = () => 0.5,
    ...parts
  }: TestConsumerParts,
): TestConsumer {
  const permits = parts.permits ?? createPermitQueue(tenant.budget, createSlots(concurrency).ofTenant(tenant.id).take);
  const consumer = createConsumer({ redis: tenant.redis, jobs: tenant.jobs, events });
  const processor = createTenantConsumer({ ...tenant, permits, events, policy, clock, random, deliver: parts.deliver });
  consumer.serve(tenant.id, processor);
  return {
    isAlive: consumer.isAlive,
    close: async () => {
      consumer.stop();
      await processor.close();
      await consumer.close();
    },
  };
}
