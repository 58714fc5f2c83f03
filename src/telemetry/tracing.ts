// Tracing, where it was asked for: a device's submission, the attempts that follow from it, the requests each sends.
import type { AskedTracing } from '../config/tracing.ts';
import { NO_TRACER, type Tracer } from './tracer.ts';

export type TracingEvents = {
  /** What the environment asks for and does not get. */
  ignored: (faults: readonly string[]) => void;
  /** Spans could not be sent. */
  trouble: (error: unknown) => void;
};

/**
 * Opens the tracer that was asked for. Nothing is loaded where none was.
 * @param process which of the processes it is, `api` or `worker`
 * @param graceMs of the process's end; the last spans have a quarter of it
 */
export async function openTracer(
  { config, ignored }: AskedTracing,
  process: string,
  graceMs: number,
  told: TracingEvents,
): Promise<Tracer> {
  if (ignored.length > 0) told.ignored(ignored);
  if (config === null) return NO_TRACER;
  const { createSdkTracer } = await import('./tracing-sdk.ts');
  return createSdkTracer(config, process, graceMs, told.trouble);
}
