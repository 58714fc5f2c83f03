// The trace a submission is part of: begun with its head, ended with its answer, known to its log line.
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler, Response } from 'express';
import type { RequestSummary } from './request-summary.ts';

export type Trace = {
  /** The trace's id, the caller's where it brought one. */
  id: string;
  /** W3C Trace Context of the submission, for what follows from it. */
  parent: string;
  end: (told: RequestSummary) => void;
};

export type StartTrace = (headers: IncomingHttpHeaders, method: string, route: string) => Trace;

export type TraceParts = {
  /** Null where nothing is traced. */
  startTrace: StartTrace | null;
};

export function traceAs(route: string, { startTrace }: TraceParts): RequestHandler {
  return (req, res, next) => {
    if (startTrace) res.locals['trace'] = startTrace(req.headers, req.method, route);
    next();
  };
}

/** The trace a request began; undefined where nothing is traced. */
export const traceOf = (res: Response) => res.locals['trace'] as Trace | undefined;
