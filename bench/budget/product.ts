// A worker of the bench: the product's own, with its budget on an accelerated clock.
import { parseConfig } from '../../src/config/config.ts';
import { createBudget, type BudgetParts } from '../../src/queue/budget/budget.ts';
import { connect } from '../../src/queue/redis/connection.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { openWorker } from '../../workers/worker.ts';
import { hastenBudget, hastenClock } from './hasten.ts';
import { readArgument, say } from './process.ts';

const { timeScale } = readArgument() as { timeScale: number };
const config = parseConfig({ ...process.env, HOST: '127.0.0.1', WORKER_PORT: '0' }, 'worker');
const telemetry = createTelemetry(createLog('bench', 'error'));
const clock = Date.now;
const { writesPer20s, holdProbeMs, policy } = config.delivery;
const settings = { writesPer20s, holdProbeMs, probeTimeoutMs: policy.attemptTimeoutMs, backoff: policy.backoff };

// Connected in advance, so that opening the worker takes as little of the measured time as possible.
const redis = connect(config.redis, 'work', telemetry.events.redisTrouble);
hastenClock(redis, timeScale);
await redis.ping();
process.on('message', () => {
  const toBudget = (keys: BudgetParts['keys']) =>
    hastenBudget(createBudget({ redis, keys, settings, clock }), timeScale);
  void openWorker(config, { telemetry, clock, toBudget }).then(() => say('begun'));
});
say('ready');
