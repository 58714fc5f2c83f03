// What every request gets: an id, in its answer and in the log, and one report when the answer went out.
import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { REFUSALS, type Refusal } from '../../domain/submission/refusal.ts';
import { Refused } from '../response/problem.ts';
import type { RequestSummary } from './request-summary.ts';
import { traceOf } from './trace.ts';

/** What routes leave for the report. */
type Locals = Partial<
  Pick<RequestSummary, 'deviceId' | 'appId' | 'deliveryId' | 'duplicate' | 'refusal' | 'reason'>
> & {
  requestId: string;
};

/** A caller that hung up was told nothing; what it sent may be stored, and sent again it is a duplicate. */
const HUNG_UP: Refusal = { code: 'bad-request', detail: 'the caller hung up before its answer' };

const ID = /^[\w.-]{1,64}$/;

/** Takes over a proxy's X-Request-Id where it is harmless, else makes one. */
export function createRequestLog(onAnswer: (told: RequestSummary) => void): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    const given = req.headers['x-request-id'];
    const requestId = typeof given === 'string' && ID.test(given) ? given : randomUUID();
    const locals = res.locals as Locals;
    locals.requestId = requestId;
    res.setHeader('X-Request-Id', requestId);
    res.on('close', () => {
      const { deviceId = null, appId = null, deliveryId = null, duplicate = false, reason = null } = locals;
      const hungUp = !res.headersSent;
      const refusal = locals.refusal ?? (hungUp ? HUNG_UP : null);
      const route = (req.route as { path?: string } | undefined)?.path ?? null;
      const durationMs = Math.round((performance.now() - startedAt) * 1000) / 1000;
      const trace = traceOf(res);
      const told: RequestSummary = {
        requestId,
        ...(trace && { traceId: trace.id }),
        method: req.method,
        route,
        status: hungUp ? REFUSALS[HUNG_UP.code].status : res.statusCode,
        durationMs,
        deviceId,
        appId,
        deliveryId,
        duplicate,
        refusal,
        reason: reason ?? (hungUp ? HUNG_UP.detail : null),
      };
      trace?.end(told);
      onAnswer(told);
    });
    if (req.headers.host === undefined && req.httpVersion === '1.1') {
      throw new Refused({ code: 'bad-request', detail: 'HTTP/1.1 wants a Host header field' });
    }
    next();
  };
}
