// Limits the requests in flight: one too many is refused before its body is read.
import type { RequestHandler, Response } from 'express';
import { jitter, Refused } from '../response/problem.ts';

export type InFlightParts = {
  maxRequestsInFlight: number;
  /** Whether a header holds the operator token; null if none is configured. */
  verifyOperator: ((authorization: string | undefined) => boolean) | null;
  random: () => number;
};

/** Requests in flight are answered or aborted within seconds. */
const RETRY_AFTER_S = { minS: 1, jitterS: 9 };

/** Creates a limit shared by all routes it precedes. Operators with the token bypass it: they come to see what is wrong. */
export function limitInFlight({ maxRequestsInFlight, verifyOperator, random }: InFlightParts): RequestHandler {
  let inFlight = 0;
  return (req, res, next) => {
    // Answered or disconnected during identification: no further event would free its slot.
    if (res.closed) return;
    if (inFlight >= maxRequestsInFlight && verifyOperator?.(req.headers.authorization) !== true) {
      throw new Refused({
        code: 'overloaded',
        detail: 'too many requests are in hand; nothing is promised, send it again later',
        retryAfterS: jitter(RETRY_AFTER_S, random),
      });
    }
    inFlight += 1;
    let isCounted = true;
    whenAnswered(res, () => {
      if (isCounted) inFlight -= 1;
      isCounted = false;
    });
    next();
  };
}

/** Calls back once the response is complete or its connection closed; slow readers are the listener's concern. */
function whenAnswered(res: Response, done: () => void): void {
  const end = res.end.bind(res) as (...args: unknown[]) => Response;
  res.end = ((...args: unknown[]) => {
    done();
    return end(...args);
  }) as Response['end'];
  res.on('close', done);
}
