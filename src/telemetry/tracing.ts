// Tracing, where it was asked for: a device's submission, the attempts that follow from it, the requests each sends.
import type { Delivery, Outcome } from '../domain/delivery.ts';
import type { RequestEnded } from '../graph/request-ended.ts';
import type { StartTrace } from '../http/request/trace.ts';
import type { AskedTracing } from '../config/tracing.ts';

export type Tracer = {
  /** Begins the trace of a submission, or takes part in its caller's; null where nothing is traced. */
  startTrace: StartTrace | null;
  /** Traces an attempt, and what is sent within it. */
  attempt: (delivery: Delivery, attempt: () => Promise<Outcome>) => Promise<Outcome>;
  /** A request ended; told within an attempt it is part of that. */
  request: RequestEnded;
  /** Sends what is not sent yet, within a time. */
  close: () => Promise<void>;
};

export type TracingTold = {
  /** What the environment asks for and does not get. */
  ignored: (faults: readonly string[]) => void;
  /** Spans could not be sent. */
  trouble: (error: unknown) => void;
};

const NOTHING: Tracer = {
  startTrace: null,
  attempt: (_delivery, attempt) => attempt(),
  request: () => undefined,
  close: () => Promise.resolve(),
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
  told: TracingTold,
): Promise<Tracer> {
  if (ignored.length > 0) told.ignored(ignored);
  if (config === null) return NOTHING;
  const { createSdkTracer } = await import('./tracing-sdk.ts');
  return createSdkTracer(config, process, graceMs, told.trouble);
}
