// A tenant in a worker: its Graph client, its budget and the consumer of its deliveries, opened and closed together.
import { describeSubject } from '../src/config/graph.ts';
import type { TenantConfig } from '../src/config/tenants/tenant.ts';
import { createGraphClient } from '../src/graph/client.ts';
import { createTokenSource } from '../src/graph/credential/token.ts';
import { createLookUp } from '../src/graph/lookup/look-up.ts';
import type { RequestEnded } from '../src/graph/request-ended.ts';
import type { OpenTenant } from '../src/process/open-tenants.ts';
import { createParts } from '../src/process/parts.ts';
import { createPermitQueue } from '../src/queue/budget/permit-queue.ts';
import type { Directory } from '../src/queue/directory/directory.ts';
import type { OpenRedis } from '../src/queue/redis/open-redis.ts';
import { createClaimable } from '../src/queue/store/claimable.ts';
import { openTenant, type Tenant, type TenantOptions } from '../src/queue/tenant.ts';
import type { Consumer, TenantJobProcessor } from '../src/queue/jobs/consumer.ts';
import { READER_JOB } from '../src/queue/jobs/job-queue.ts';
import type { Slots } from '../src/queue/worker/slots.ts';
import { createTenantConsumer } from '../src/queue/worker/tenant-consumer.ts';
import type { Telemetry } from '../src/telemetry/telemetry.ts';
import { createDeliver } from './deliver.ts';
import { openDirectoryReader } from './directory.ts';
import { openGraphFacts } from './graph-facts.ts';

export type WorkerTenant = OpenTenant & {
  tenant: Tenant;
  /** Null if the device directory vouches for nobody. */
  directory: Directory | null;
};

export type WorkerTenantParts = Pick<TenantOptions, 'clock' | 'toBudget'> & {
  redis: OpenRedis;
  /** With the tenant's own events. */
  telemetry: Pick<Telemetry, 'events' | 'tracer'>;
  random?: () => number;
  /** The process's, which takes the jobs of all its tenants. */
  consumer: Consumer;
  /** The attempts that the process makes at once. */
  slots: Slots;
};

export async function openWorkerTenant(
  config: TenantConfig,
  { redis, telemetry, clock, toBudget, random = Math.random, consumer, slots }: WorkerTenantParts,
): Promise<WorkerTenant> {
  const { events, tracer } = telemetry;
  events.beginAttempts();
  if (config.directory) events.beginDirectory();
  const parts = createParts(events.closeFailed);
  try {
    const tenant = await openTenant(redis, config, { clock, toBudget });
    parts.opened(`tenant ${tenant.id}`, tenant.close);
    const { now, latest } = tenant.clock;

    const requestEnded: RequestEnded = (request) => {
      events.graphRequest(request);
      tracer.request(request);
    };
    const reader =
      config.directory && openDirectoryReader(config.directory, tenant, { requestEnded, parts, events, random });
    const { id } = tenant;
    const serve = (processor: TenantJobProcessor) => {
      parts.opened('jobs', consumer.serve(id, reader ? waking(reader.wake, processor) : processor), 'at once');
    };
    const opened = { id, tenant, directory: reader && reader.directory, stop: parts.stop, close: parts.close };
    if (config.isPaused) {
      serve(NO_DELIVERIES);
      return opened;
    }

    const tokens = createTokenSource(config.graph, Date.now, requestEnded);
    const graph = createGraphClient({ config: config.graph, tokens, clock: latest, ended: requestEnded });
    parts.opened('graph', graph.close);
    const facts = openGraphFacts(tenant.facts, {
      subject: describeSubject(config.graph),
      clock: now,
      onTrouble: events.queueTrouble,
    });
    const ownSlots = slots.ofTenant(id);
    parts.opened('slots', ownSlots.close);
    const permits = createPermitQueue(tenant.budget, ownSlots.take);
    const find = createLookUp({
      graph,
      takeTurn: permits.furtherPage,
      clock: () => performance.now(),
      facts: facts.options,
    });
    const deliver = createDeliver({ create: graph.create, find, claimable: createClaimable(tenant) });
    const processor = createTenantConsumer({
      ...tenant,
      permits,
      deliver: async (delivery, run, signal) => {
        facts.attempting();
        const outcome = await tracer.attempt(delivery, () => deliver(delivery, run, signal));
        facts.attempted(outcome);
        return outcome;
      },
      events,
      policy: config.delivery.policy,
      clock: now,
      random,
    });
    parts.opened('deliveries', processor.close, 'at once');
    serve(processor);
    return opened;
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** A paused tenant's: they get jobs again once it goes on. */
const NO_DELIVERIES: TenantJobProcessor = { process: () => Promise.resolve('ended'), leftJobGone: () => undefined };

/** Jobs of the directory reader wake it, all others are of deliveries. */
const waking = (wake: () => void, processor: TenantJobProcessor): TenantJobProcessor => ({
  ...processor,
  process: (deliveryId, lockLost) => {
    if (deliveryId !== READER_JOB) return processor.process(deliveryId, lockLost);
    wake();
    return Promise.resolve('ended');
  },
});
