// A tracer: the trace of a submission, of the attempts that follow from it, and of the requests each attempt sends.
import type { Delivery, Outcome } from '../domain/delivery.ts';
import type { RequestEnded } from '../graph/request-ended.ts';
import type { StartTrace } from '../http/request/trace.ts';

export type Tracer = {
  /** Begins the trace of a submission, or continues its caller's; null if nothing is traced. */
  startTrace: StartTrace | null;
  /** Traces an attempt, and what is sent within it. */
  attempt: (delivery: Delivery, attempt: () => Promise<Outcome>) => Promise<Outcome>;
  /** Traces a finished request, as part of the attempt it was sent by. */
  request: RequestEnded;
  /** Sends remaining spans, within a deadline. */
  close: () => Promise<void>;
};

/** Traces nothing. */
export const NO_TRACER: Tracer = {
  startTrace: null,
  attempt: (_delivery, attempt) => attempt(),
  request: () => undefined,
  close: () => Promise.resolve(),
};
