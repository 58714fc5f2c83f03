// The latest requests, oldest first, in a ring of fixed size.
import type { Effect } from './answer.ts';
import type { Operation } from '../faults/operation.ts';

/** A request and its result; headers that may hold credentials are not kept. */
export type LoggedRequest = {
  atMs: number;
  method: string;
  path: string;
  operation: Operation;
  /** The status sent, or what happened instead of a response. */
  status: number | 'reset' | 'hang';
  requestId: string;
  clientRequestId: string | null;
  /** The app that the request's token names, verified or not; null without a token. */
  appId: string | null;
  effect: Effect;
  /** The text of the fault that applied, if any. */
  fault: string | null;
};

export type RequestLog = ReturnType<typeof createRequestLog>;

/** Keeps the last `mostRemembered` requests and notifies listeners of each one, before it is answered. */
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
