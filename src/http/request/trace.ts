// Starts the trace of a submission when its head arrives; it ends with the response.
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler } from 'express';
import { contextOf, type Trace } from './context.ts';

export type StartTrace = (headers: IncomingHttpHeaders, method: string, route: string) => Trace;

export type TraceParts = {
  /** Null if tracing is off. */
  startTrace: StartTrace | null;
};

export function traceAs(route: string, { startTrace }: TraceParts): RequestHandler {
  return (req, res, next) => {
    if (startTrace) contextOf(res).trace = startTrace(req.headers, req.method, route);
    next();
  };
}
