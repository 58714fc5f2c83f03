// A worker process of the bench: the product's own consumer, pacer and Graph client, its budget on a hastened clock.
import { parseConfig } from '../../src/config/config.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { createGraphClient } from '../../src/graph/client.ts';
import { createLookUp } from '../../src/graph/lookup/look-up.ts';
import { createTokenSource } from '../../src/graph/credential/token.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createBudget } from '../../src/queue/budget/budget.ts';
import { createConsumer } from '../../src/queue/worker/consumer.ts';
import { createPacer } from '../../src/queue/budget/permit-queue.ts';
import { connect } from '../../src/queue/redis/connection.ts';
import { openTenantQueue } from '../../src/queue/tenant.ts';
import { createDeliver } from '../../workers/deliver.ts';
import { hastenBudget, hastenClock } from './hasten.ts';
import { readArgument, say } from './process.ts';

const { timeScale } = readArgument() as { timeScale: number };
const config = parseConfig(process.env, 'worker');
const events = createEvents(createLog('bench', 'error'), createMetrics());
const clock = Date.now;

const queue = await openTenantQueue(config, 'work', events.redisTrouble);
const redis = connect(config.redis, 'work', events.redisTrouble);
hastenClock(redis, timeScale);
const { writesPer20s, holdProbeMs, policy } = config.delivery;
const settings = { writesPer20s, holdProbeMs, probeTimeoutMs: policy.attemptTimeoutMs, backoff: policy.backoff };
const budget = hastenBudget(createBudget(redis, queue.keys, settings, clock), timeScale);

const tokens = createTokenSource(config.graph, clock, events.graphRequest);
await tokens.get();
const graph = createGraphClient(config.graph, tokens, clock, events.graphRequest);
const pacer = createPacer(budget);
process.on('message', () => {
  createConsumer({
    ...queue,
    budget,
    pacer,
    deliver: createDeliver({
      create: graph.create,
      find: createLookUp(graph, pacer.furtherPage, clock),
      claimable: queue.deliveries.unclaimed,
    }),
    events,
    policy,
    concurrency: config.worker.concurrency,
    clock,
    random: Math.random,
  });
  say('begun');
});
say('ready');
