// The Prometheus metrics of a process: stable names, low cardinality, no device or user in a label.
// Help is in ASCII: a scrape of hundreds of tenants is long, and other characters double the time that encoding it takes.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createLabelledCounter } from './labelled-counter.ts';

/** From a millisecond to the age at which a delivery gives up. */
const DELIVERY_BUCKETS_S = [
  0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 259_200,
];
const REQUEST_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** `failed` is tried again, `dropped` is not. */
const ANNOUNCEMENT_OUTCOMES = ['sent', 'failed', 'dropped'] as const;

export type Metrics = ReturnType<typeof createMetrics>;

export type MetricsOptions = {
  /** Whether metrics of deliveries, Graph, budget and holds have the label `tenant`. */
  byTenant: boolean;
};

export function createMetrics({ byTenant }: MetricsOptions = { byTenant: false }) {
  const tenant: 'tenant'[] = byTenant ? ['tenant'] : [];
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counters = {
    submissions: createLabelledCounter({
      name: 'runstate_submissions_total',
      help: 'Submissions by what the device was told.',
      labelNames: ['outcome', 'code', ...tenant],
    }),
    connectionsRefused: createLabelledCounter({
      name: 'runstate_connections_refused_total',
      help: 'What was refused before it was a request, by why.',
      labelNames: ['code'],
    }),
    attempts: createLabelledCounter({
      name: 'runstate_attempts_total',
      help: 'Attempts by outcome.',
      labelNames: ['outcome', ...tenant],
    }),
    uncertain: createLabelledCounter({
      name: 'runstate_uncertain_total',
      help: 'Uncertain creates by how they were resolved.',
      labelNames: ['resolution', ...tenant],
    }),
    dead: createLabelledCounter({
      name: 'runstate_dead_total',
      help: 'Dead letters by code.',
      labelNames: ['code', ...tenant],
    }),
    graphRequests: createLabelledCounter({
      name: 'runstate_graph_requests_total',
      help: 'Requests to Graph and its token endpoint; status none where nothing was answered.',
      labelNames: ['operation', 'status', ...tenant],
    }),
    directoryQuestions: createLabelledCounter({
      name: 'runstate_directory_questions_total',
      help: 'Questions put to the device directory, by outcome.',
      labelNames: ['outcome', ...tenant],
    }),
    directoryQuestionsDropped: createLabelledCounter({
      name: 'runstate_directory_questions_dropped_total',
      help: 'Questions about devices that failed each time they were put.',
      labelNames: tenant,
    }),
    announcements: createLabelledCounter({
      name: 'runstate_announcements_total',
      help: 'Requests to the webhook of the operators by outcome.',
      labelNames: ['outcome'],
    }),
  };
  for (const outcome of ANNOUNCEMENT_OUTCOMES) counters.announcements.inc({ outcome }, 0);
  return {
    ...counters,
    registry,
    /** All but the tenants' gauges, as Prometheus text. */
    text: async () => {
      const labelled = Object.values(counters).map((counter) => counter.render());
      return [await registry.metrics(), ...labelled].join('');
    },
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
      labelNames: tenant,
      buckets: DELIVERY_BUCKETS_S,
    }),
    graphSeconds: new Histogram({
      registers,
      name: 'runstate_graph_request_seconds',
      help: 'Duration of requests to Graph and its token endpoint.',
      labelNames: tenant,
      buckets: REQUEST_BUCKETS_S,
    }),
    httpSeconds: new Histogram({
      registers,
      name: 'runstate_http_request_seconds',
      help: 'Duration of requests to this service.',
      buckets: REQUEST_BUCKETS_S,
    }),
    queueJobs: new Gauge({
      registers,
      name: 'runstate_queue_jobs',
      help: 'BullMQ jobs by state; a job only wakes a worker for a delivery.',
      labelNames: ['state'],
    }),
    tenantsFileFaults: new Gauge({
      registers,
      name: 'runstate_tenants_file_faults',
      help: 'Faults of the tenants file, which is not used while it has any, and its tenants that could not be opened; absent without one.',
    }),
    redisUp: new Gauge({ registers, name: 'runstate_redis_up', help: 'Whether Redis answered this scrape.' }),
    redisMemory: new Gauge({
      registers,
      name: 'runstate_redis_memory_used_ratio',
      help: 'Share of the maxmemory of Redis in use; absent where it has no limit.',
    }),
    durable: new Gauge({
      registers,
      name: 'runstate_durable',
      help: 'Whether a 202 means fsynced and never evicted; absent where Redis does not say.',
    }),
  };
}

/** Clears the gauges read from Redis: a stale value would pass for a current one. */
export function forgetGauges({ queueJobs, redisMemory, durable, tenantsFileFaults }: Metrics): void {
  queueJobs.reset();
  // Without labels, a reset would set it to 0.
  for (const single of [redisMemory, durable, tenantsFileFaults]) single.remove();
}
