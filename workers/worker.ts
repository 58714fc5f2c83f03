// A worker: opens Redis and its tenant, the Graph client and the consumer of a configuration, and listens for health checks and scrapes.
import { createHealth, untilStopped } from '../src/api/readiness.ts';
import type { Config } from '../src/config/config.ts';
import { describeSubject } from '../src/config/graph.ts';
import { createGraphClient } from '../src/graph/client.ts';
import { createTokenSource } from '../src/graph/credential/token.ts';
import { createLookUp } from '../src/graph/lookup/look-up.ts';
import type { RequestEnded } from '../src/graph/request-ended.ts';
import { createHealthApp } from '../src/http/health-app.ts';
import { listen } from '../src/http/server.ts';
import { openParts, type Parts } from '../src/process/parts.ts';
import { cannotListen } from '../src/process/start-checks.ts';
import { createPermitQueue } from '../src/queue/budget/permit-queue.ts';
import { createClaimable } from '../src/queue/store/claimable.ts';
import { openRedis } from '../src/queue/redis/open-redis.ts';
import { environmentTenant, openTenant, type Tenant, type TenantOptions } from '../src/queue/tenant.ts';
import { createConsumer } from '../src/queue/worker/consumer.ts';
import type { Telemetry } from '../src/telemetry/telemetry.ts';
import { createDeliver } from './deliver.ts';
import { openGraphFacts } from './graph-facts.ts';

export type WorkerOptions = {
  telemetry: Telemetry;
  /** Parts of the process that this worker becomes part of; without them it has its own. */
  parts?: Parts;
  /** Replaces the clock of Redis. */
  clock?: () => number;
  random?: () => number;
  /** Replaces the tenant's budget, such as by one on a faster clock. */
  toBudget?: NonNullable<TenantOptions['toBudget']>;
};

export type Worker = {
  /** Where it answers health checks and scrapes. */
  port: number;
  tenants: ReadonlyMap<string, Tenant>;
  close: () => Promise<void>;
};

/** @throws CannotStart if the configuration requires something this machine lacks */
export function openWorker(config: Config, options: WorkerOptions): Promise<Worker> {
  const { events, log, metrics } = options.telemetry;
  return openParts(options.parts, events.closeFailed, async (parts) => {
    const { host, port: wanted, concurrency } = config.worker;
    const { tenant, isAlive } = await openConsumer(config, options, parts);
    const health = createHealth({ tenant, metrics });
    const app = createHealthApp({
      ...health,
      readiness: untilStopped(health.readiness, parts.signal),
      isAlive,
      onAnswer: events.answered,
      onDefect: (error) => events.defect(error, 'a route threw'),
    });
    const listener = await listen(app, {
      host,
      port: wanted,
      onRefused: events.connectionRefused,
      limits: { keepAliveTimeout: config.keepAliveTimeoutMs },
    }).catch(cannotListen('WORKER_PORT'));
    parts.signal.addEventListener('abort', listener.drain);
    parts.opened('listener', listener.close);
    const { port } = listener;
    log.info({ host, port, concurrency }, 'working');
    return { port, tenants: new Map([[tenant.id, tenant]]) };
  });
}

async function openConsumer(config: Config, options: WorkerOptions, parts: Parts) {
  const { events, tracer } = options.telemetry;
  const redis = await openRedis(config.redis, 'work', events);
  parts.opened('redis', redis.close);
  const { clock, toBudget } = options;
  const tenant = await openTenant(redis, environmentTenant(config), {
    redisTrouble: events.redisTrouble,
    clock,
    toBudget,
  });
  parts.opened(`tenant ${tenant.id}`, tenant.close);
  const { now, latest } = tenant.clock;

  const requestEnded: RequestEnded = (request) => {
    events.graphRequest(request);
    tracer.request(request);
  };
  const tokens = createTokenSource(config.graph, Date.now, requestEnded);
  const graph = createGraphClient(config.graph, tokens, latest, requestEnded);
  parts.opened('graph', graph.close);

  const facts = openGraphFacts(tenant.facts, {
    subject: describeSubject(config.graph),
    clock: now,
    onTrouble: events.queueTrouble,
  });
  parts.opened('graph facts', facts.close);

  const permits = createPermitQueue(tenant.budget);
  const deliver = createDeliver({
    create: graph.create,
    find: createLookUp(graph, permits.furtherPage, () => performance.now(), { facts: facts.options }),
    claimable: createClaimable(tenant),
  });
  const consumer = createConsumer({
    ...tenant,
    permits,
    deliver: async (delivery, run, signal) => {
      const outcome = await tracer.attempt(delivery, () => deliver(delivery, run, signal));
      facts.attempted(outcome);
      return outcome;
    },
    events,
    policy: config.delivery.policy,
    concurrency: config.worker.concurrency,
    clock: now,
    random: options.random ?? Math.random,
  });
  parts.opened('consumer', consumer.close, 'at once');
  return { tenant, isAlive: consumer.isAlive };
}
