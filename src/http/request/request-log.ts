// Assigns every request an id, for its response and the log, and reports a summary once it is complete.
import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { REFUSALS, type Refusal } from '../../domain/submission/refusal.ts';
import { Refused } from '../response/problem.ts';
import { openContext, type RequestSummary } from './context.ts';

/** A caller that disconnected got no response; what it sent may be stored, and is a duplicate when sent again. */
const HUNG_UP: Refusal = { code: 'bad-request', detail: 'the caller hung up before its answer' };

const ID = /^[\w.-]{1,64}$/;

/** Keeps a proxy's X-Request-Id if it is harmless, otherwise creates an id. */
export function createRequestLog(onAnswer: (summary: RequestSummary) => void): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    const given = req.headers['x-request-id'];
    const requestId = typeof given === 'string' && ID.test(given) ? given : randomUUID();
    const context = openContext(res, requestId);
    res.setHeader('X-Request-Id', requestId);
    res.on('close', () => {
      const { trace, tenantId, deviceId, appId, deliveryId, duplicate } = context;
      const hungUp = !res.headersSent;
      const summary: RequestSummary = {
        requestId,
        ...(trace && { traceId: trace.id }),
        method: req.method,
        route: (req.route as { path?: string } | undefined)?.path ?? null,
        status: hungUp ? REFUSALS[HUNG_UP.code].status : res.statusCode,
        durationMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
        tenantId,
        deviceId,
        appId,
        deliveryId,
        duplicate,
        refusal: context.refusal ?? (hungUp ? HUNG_UP : null),
        reason: context.reason ?? (hungUp ? HUNG_UP.detail : null),
      };
      trace?.end(summary);
      onAnswer(summary);
    });
    if (req.headers.host === undefined && req.httpVersion === '1.1') {
      throw new Refused({ code: 'bad-request', detail: 'HTTP/1.1 wants a Host header field' });
    }
    next();
  };
}
