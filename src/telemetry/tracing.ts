// Opens the tracer where tracing is configured.
import type { AskedTracing } from '../config/tracing.ts';
import { NO_TRACER, type Tracer } from './tracer.ts';

export type TracingEvents = {
  /** Settings in the environment that are ignored. */
  ignored: (faults: readonly string[]) => void;
  /** Spans could not be sent. */
  trouble: (error: unknown) => void;
};

type TracerOptions = {
  /** `api` or `worker` */
  process: string;
  /** The grace period of the shutdown; the last spans have a quarter of it. */
  graceMs: number;
  events: TracingEvents;
};

/** Loads OpenTelemetry only where tracing is configured. */
export async function openTracer(
  { config, ignored }: AskedTracing,
  { process, graceMs, events }: TracerOptions,
): Promise<Tracer> {
  if (ignored.length > 0) events.ignored(ignored);
  if (config === null) return NO_TRACER;
  const { createSdkTracer } = await import('./tracing-sdk.ts');
  return createSdkTracer(config, { process, graceMs, onTrouble: events.trouble });
}
