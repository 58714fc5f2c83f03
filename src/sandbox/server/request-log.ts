// The latest requests, oldest first, in a ring of fixed size.
import type { Effect } from './answer.ts';
import type { Operation } from '../faults/operation.ts';

/** One request and what became of it; no header that could hold a credential is kept. */
export type LoggedRequest = {
  atMs: number;
  method: string;
  path: string;
  operation: Operation;
  /** The status answered, or what happened instead of an answer. */
  status: number | 'reset' | 'hang';
  requestId: string;
  clientRequestId: string | null;
  effect: Effect;
  /** The words of the fault it met, if any. */
  fault: string | null;
};

export type RequestLog = ReturnType<typeof createRequestLog>;

/** Keeps the last `mostRemembered` requests and tells listeners of each as it is logged, before it is answered. */
export function createRequestLog(mostRemembered: number) {
  let ring: LoggedRequest[] = [];
  let oldest = 0;
  const listeners = new Set<(request: LoggedRequest) => void>();
  return {
    add: (request: LoggedRequest): void => {
      if (ring.length < mostRemembered) ring.push(request);
      else {
        ring[oldest] = request;
        oldest = (oldest + 1) % mostRemembered;
      }
      for (const listener of listeners) listener(request);
    },
    all: (): LoggedRequest[] => [...ring.slice(oldest), ...ring.slice(0, oldest)],
    subscribe: (listener: (request: LoggedRequest) => void): (() => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    clear: (): void => {
      ring = [];
      oldest = 0;
    },
  };
}
