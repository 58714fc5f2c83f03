// The Express application every route table begins and ends with: headers, request log, bounds; then 404 and errors.
import express, { type Express, type RequestHandler } from 'express';
import { limitHead } from './request/limit-head.ts';
import type { RequestSummary } from './request/context.ts';
import { createRequestLog } from './request/request-log.ts';
import { createErrorHandler, Refused } from './response/problem.ts';
import { setSecurityHeaders } from './response/security-headers.ts';

export type BareAppParts = {
  /** A request was answered. */
  onAnswer: (summary: RequestSummary) => void;
  /** A route threw something other than a refusal. */
  onDefect: (error: unknown) => void;
};

export function createBareApp({ onAnswer }: Pick<BareAppParts, 'onAnswer'>): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple').set('case sensitive routing', true);
  app.use(setSecurityHeaders, createRequestLog(onAnswer), limitHead());
  return app;
}

/** Answers what no route handled, and what a route threw. */
export function endRoutes(app: Express, { onDefect }: Pick<BareAppParts, 'onDefect'>): Express {
  app.use(() => {
    throw new Refused({ code: 'not-found', detail: 'there is no such route' });
  });
  app.use(createErrorHandler(onDefect));
  return app;
}

/** Refuses every method but these. */
export function only(methods: string): RequestHandler {
  return (_req, res) => {
    res.setHeader('Allow', methods);
    throw new Refused({ code: 'method-not-allowed', detail: `allowed: ${methods}` });
  };
}
