// Begins the trace of a submission with its head; it ends with the answer.
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler } from 'express';
import { contextOf, type Trace } from './context.ts';

export type StartTrace = (headers: IncomingHttpHeaders, method: string, route: string) => Trace;

export type TraceParts = {
  /** Null where nothing is traced. */
  startTrace: StartTrace | null;
};

export function traceAs(route: string, { startTrace }: TraceParts): RequestHandler {
  return (req, res, next) => {
    if (startTrace) contextOf(res).trace = startTrace(req.headers, req.method, route);
    next();
  };
}
