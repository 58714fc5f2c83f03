// All telemetry of a process: its log, its metrics, its events and its tracer.
import { createEvents, type Events } from './events.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { NO_TRACER, type Tracer } from './tracer.ts';

export type Telemetry = { log: Logger; metrics: Metrics; events: Events; tracer: Tracer };

/** Events are written to this log and counted; nothing is traced. */
export function createTelemetry(log: Logger): Telemetry {
  const metrics = createMetrics();
  return { log, metrics, events: createEvents(log, metrics), tracer: NO_TRACER };
}
