// The Prometheus metrics of a process: stable names, low cardinality, no device or user in a label.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** From a millisecond to the age at which a delivery gives up. */
const DELIVERY_BUCKETS_S = [
  0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 259_200,
];
const REQUEST_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    submissions: new Counter({
      registers,
      name: 'runstate_submissions_total',
      help: 'Submissions by what the device was told.',
      labelNames: ['outcome', 'code'],
    }),
    connectionsRefused: new Counter({
      registers,
      name: 'runstate_connections_refused_total',
      help: 'What was refused before it was a request, by why.',
      labelNames: ['code'],
    }),
    attempts: new Counter({
      registers,
      name: 'runstate_attempts_total',
      help: 'Attempts by outcome.',
      labelNames: ['outcome'],
    }),
    uncertain: new Counter({
      registers,
      name: 'runstate_uncertain_total',
      help: 'Uncertain creates by how they were resolved.',
      labelNames: ['resolution'],
    }),
    dead: new Counter({ registers, name: 'runstate_dead_total', help: 'Dead letters by code.', labelNames: ['code'] }),
    defects: new Counter({ registers, name: 'runstate_defects_total', help: 'Bugs that showed; the log has each.' }),
    logLinesDropped: new Counter({
      registers,
      name: 'runstate_log_lines_dropped_total',
      help: 'Log lines nobody read in time, or that could not be written.',
    }),
    deliverySeconds: new Histogram({
      registers,
      name: 'runstate_delivery_seconds',
      help: 'From acceptance to creation in Graph.',
      buckets: DELIVERY_BUCKETS_S,
    }),
    graphRequests: new Counter({
      registers,
      name: 'runstate_graph_requests_total',
      help: 'Requests to Graph and its token endpoint; status none where nothing was answered.',
      labelNames: ['operation', 'status'],
    }),
    graphSeconds: new Histogram({
      registers,
      name: 'runstate_graph_request_seconds',
      help: 'Duration of requests to Graph and its token endpoint.',
      buckets: REQUEST_BUCKETS_S,
    }),
    httpSeconds: new Histogram({
      registers,
      name: 'runstate_http_request_seconds',
      help: 'Duration of requests to this service.',
      buckets: REQUEST_BUCKETS_S,
    }),
    deliveries: new Gauge({
      registers,
      name: 'runstate_deliveries',
      help: 'Deliveries by status; delivered ones are counted for ever.',
      labelNames: ['status'],
    }),
    oldestQueuedAge: new Gauge({
      registers,
      name: 'runstate_oldest_queued_age_seconds',
      help: 'Age of the oldest delivery that has not ended.',
    }),
    budgetWritesPerSecond: new Gauge({
      registers,
      name: 'runstate_budget_writes_per_second',
      help: 'The pace allowed at present, over all workers.',
    }),
    drainSeconds: new Gauge({
      registers,
      name: 'runstate_drain_seconds',
      help: 'When the backlog will be created at the present pace.',
    }),
    held: new Gauge({
      registers,
      name: 'runstate_held',
      help: 'Whether nobody calls Graph for this reason.',
      labelNames: ['reason'],
    }),
    heldConfigurations: new Gauge({
      registers,
      name: 'runstate_held_configurations',
      help: 'Hardware configurations whose deliveries are kept back for this reason.',
      labelNames: ['reason'],
    }),
    heldDeliveries: new Gauge({
      registers,
      name: 'runstate_held_deliveries',
      help: 'Deliveries kept back since their hardware configuration is held; they also count in their status.',
    }),
    queueJobs: new Gauge({
      registers,
      name: 'runstate_queue_jobs',
      help: 'BullMQ jobs by state; a job only wakes a worker for a delivery.',
      labelNames: ['state'],
    }),
    redisUp: new Gauge({ registers, name: 'runstate_redis_up', help: 'Whether Redis answered this scrape.' }),
    redisMemory: new Gauge({
      registers,
      name: 'runstate_redis_memory_used_ratio',
      help: 'Share of Redis’s maxmemory in use; absent where it has no limit.',
    }),
    durable: new Gauge({
      registers,
      name: 'runstate_durable',
      help: 'Whether a 202 means fsynced and never evicted; absent where Redis does not say.',
    }),
  };
}

/** Clears the gauges read from Redis: a stale value would pass for a current one. */
export function forgetGauges(metrics: Metrics): void {
  const {
    deliveries,
    oldestQueuedAge,
    budgetWritesPerSecond,
    drainSeconds,
    held,
    heldConfigurations,
    heldDeliveries,
    queueJobs,
  } = metrics;
  for (const labelled of [deliveries, held, heldConfigurations, queueJobs]) labelled.reset();
  for (const single of [
    oldestQueuedAge,
    budgetWritesPerSecond,
    drainSeconds,
    heldDeliveries,
    metrics.redisMemory,
    metrics.durable,
  ])
    single.remove();
}
