// What is known about a request while it is processed, and the summary that is reported afterwards.
import type { Response } from 'express';
import type { Refusal } from '../../domain/submission/refusal.ts';
import type { Caller } from '../identity/caller.ts';

/** Data that routes and middleware leave for each other and for the summary. */
export type RequestContext = {
  requestId: string;
  /** Null if the request is not traced. */
  trace: Trace | null;
  /** Null until the caller is identified, and on routes that are open to everyone. */
  caller: Caller | null;
  /** The content coding of the body, which is read as it was sent and signed. */
  coding: string;
  /** The base path of the request; empty at the root. */
  basePath: string;
  /** The URLs a device may have signed; null if only the requested one is possible. */
  signedUrls: readonly string[] | null;
  tenantId: string | null;
  deviceId: string | null;
  /** The app that called with an Entra token. */
  appId: string | null;
  deliveryId: string | null;
  duplicate: boolean;
  refusal: Refusal | null;
  /** Why the caller was not identified; only for the log. */
  reason: string | null;
};

/** The trace of a request that submits something. */
export type Trace = {
  /** The trace id, taken from the caller if it sent one. */
  id: string;
  /** W3C Trace Context of the submission, for the attempts that follow. */
  parent: string;
  end: (summary: RequestSummary) => void;
};

/** What is reported about a completed request, for the log line, the metrics and the trace. */
export type RequestSummary = Pick<
  RequestContext,
  'requestId' | 'tenantId' | 'deviceId' | 'appId' | 'deliveryId' | 'duplicate' | 'refusal' | 'reason'
> & {
  /** Only if the request is traced. */
  traceId?: string;
  method: string;
  /** The route's pattern rather than the path, which may contain anything. Null if no route matched. */
  route: string | null;
  status: number;
  durationMs: number;
};

/** Creates the context of a request. */
export function openContext(res: Response, requestId: string): RequestContext {
  const context: RequestContext = {
    requestId,
    trace: null,
    caller: null,
    coding: 'identity',
    basePath: '',
    signedUrls: null,
    tenantId: null,
    deviceId: null,
    appId: null,
    deliveryId: null,
    duplicate: false,
    refusal: null,
    reason: null,
  };
  res.locals['context'] = context;
  return context;
}

export const contextOf = (res: Response) => res.locals['context'] as RequestContext;

/** The identified caller. @throws Error on a route without identification, which is a defect */
export function callerOf(res: Response): Caller {
  const { caller } = contextOf(res);
  if (!caller) throw new Error('the caller was not identified');
  return caller;
}
