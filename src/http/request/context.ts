// What is known about a request while it is answered, and the summary of it that is reported afterwards.
import type { Response } from 'express';
import type { Refusal } from '../../domain/submission/refusal.ts';
import type { Caller } from '../identity/caller.ts';

/** What routes and their middleware leave for each other and for the summary. */
export type RequestContext = {
  requestId: string;
  /** Null where nothing is traced. */
  trace: Trace | null;
  /** Null until the caller is identified, and on routes that are open to everyone. */
  caller: Caller | null;
  /** The content coding of the body, which is read as it was sent and signed. */
  coding: string;
  /** The path the service is reached below; empty at the root. */
  basePath: string;
  /** The addresses a device may have signed; null where only the requested one can be meant. */
  signedUrls: readonly string[] | null;
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
  /** The trace's id, the caller's where it brought one. */
  id: string;
  /** W3C Trace Context of the submission, for what follows from it. */
  parent: string;
  end: (summary: RequestSummary) => void;
};

/** What is reported about a request that was answered: for its log line, the metrics and its trace. */
export type RequestSummary = Pick<
  RequestContext,
  'requestId' | 'deviceId' | 'appId' | 'deliveryId' | 'duplicate' | 'refusal' | 'reason'
> & {
  /** Only where the request is traced. */
  traceId?: string;
  method: string;
  /** The route's pattern, never the path, which may hold anything. Null where no route matched. */
  route: string | null;
  status: number;
  durationMs: number;
};

/** Begins the context of a request. */
export function openContext(res: Response, requestId: string): RequestContext {
  const context: RequestContext = {
    requestId,
    trace: null,
    caller: null,
    coding: 'identity',
    basePath: '',
    signedUrls: null,
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

/** The identified caller. @throws Error on a route that identifies nobody: a defect */
export function callerOf(res: Response): Caller {
  const { caller } = contextOf(res);
  if (!caller) throw new Error('the caller was not identified');
  return caller;
}
