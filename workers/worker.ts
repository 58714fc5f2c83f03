// A worker, wired: env → config → queue → Graph → consumer → close.
import { describeSubject } from '../src/config/graph.ts';
import { createGraphClient } from '../src/graph/client.ts';
import type { RequestEnded } from '../src/graph/request-ended.ts';
import { createLookUp } from '../src/graph/lookup/look-up.ts';
import { createTokenSource } from '../src/graph/credential/token.ts';
import { createHealthApp } from '../src/http/app.ts';
import { listen } from '../src/http/server.ts';
import { beginProcess } from '../src/process/start.ts';
import { createConsumer } from '../src/queue/worker/consumer.ts';
import { watchDurability } from '../src/queue/redis/health.ts';
import { createClaimable } from '../src/queue/store/claimable.ts';
import { createPacer } from '../src/queue/budget/permit-queue.ts';
import { openTenantQueue } from '../src/queue/tenant.ts';
import { createHealth, untilStopped } from '../src/api/readiness.ts';
import { cannotListen } from '../src/process/start-checks.ts';
import { createDeliver } from './deliver.ts';
import { openGraphFacts } from './graph-facts.ts';

const { config, log, metrics, events, tracer, lifecycle } = await beginProcess('worker');
const { host, port, concurrency } = config.worker;

const queue = await openTenantQueue(config, 'work', events.redisTrouble, events.waitingForRedis);
lifecycle.opened('queue', queue.close);
watchDurability(queue.redis, events.durability);

const requestEnded: RequestEnded = (request) => {
  events.graphRequest(request);
  tracer.request(request);
};
const tokens = createTokenSource(config.graph, Date.now, requestEnded);
const graph = createGraphClient(config.graph, tokens, queue.clock.latest, requestEnded);
lifecycle.opened('graph', graph.close);

const facts = openGraphFacts(queue.facts, describeSubject(config.graph), queue.clock.now, events.queueTrouble);
lifecycle.opened('graph facts', facts.close);

const pacer = createPacer(queue.budget);
const deliver = createDeliver({
  create: graph.create,
  find: createLookUp(graph, pacer.furtherPage, () => performance.now(), { facts: facts.options }),
  claimable: createClaimable(queue),
});
const consumer = createConsumer({
  ...queue,
  pacer,
  deliver: async (delivery, run, signal) => {
    const outcome = await tracer.attempt(delivery, () => deliver(delivery, run, signal));
    facts.attempted(outcome);
    return outcome;
  },
  events,
  policy: config.delivery.policy,
  concurrency,
  clock: queue.clock.now,
  random: Math.random,
});
lifecycle.opened('consumer', consumer.close, 'at once');

const health = createHealth(queue, metrics, queue.clock.now);
const app = createHealthApp({
  ...health,
  readiness: untilStopped(health.readiness, lifecycle.signal),
  isAlive: consumer.isAlive,
  onAnswer: events.answered,
  onDefect: (error) => events.defect(error, 'a route threw'),
});
const listener = await listen(app, host, port, events.connectionRefused, {
  keepAliveTimeout: config.keepAliveTimeoutMs,
}).catch(cannotListen('WORKER_PORT'));
lifecycle.signal.addEventListener('abort', listener.drain);
lifecycle.opened('listener', listener.close);
lifecycle.started();
log.info({ host, port: listener.port, concurrency }, 'working');
