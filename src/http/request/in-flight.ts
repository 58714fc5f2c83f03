// How many requests of devices are in hand at once: beyond that, refused before a byte of the body is read.
import type { RequestHandler, Response } from 'express';
import { Refused, spread } from '../response/problem.ts';

export type InFlightParts = {
  maxRequestsInFlight: number;
  /** Whether this is the operator token; null where there is none. */
  verifyOperator: ((authorization: string | undefined) => boolean) | null;
  random: () => number;
};

/** What is in hand is answered within seconds, or cut. */
const RETRY_AFTER_S = { least: 1, spread: 9 };

/** Makes one limit for all routes it is put before. The operator token passes it: who has it comes to see what is the matter. */
export function limitInFlight({ maxRequestsInFlight, verifyOperator, random }: InFlightParts): RequestHandler {
  let inFlight = 0;
  return (req, res, next) => {
    // Refused or gone while it was found out who it is: nothing more would be heard of it, and its place never freed.
    if (res.closed) return;
    if (inFlight >= maxRequestsInFlight && verifyOperator?.(req.headers.authorization) !== true) {
      throw new Refused({
        code: 'overloaded',
        detail: 'too many requests are in hand; nothing is promised, send it again later',
        retryAfterS: spread(RETRY_AFTER_S, random),
      });
    }
    inFlight += 1;
    let inHand = true;
    whenAnswered(res, () => {
      if (inHand) inFlight -= 1;
      inHand = false;
    });
    next();
  };
}

/** Once the answer is made, or nobody waits for it any more: how long a caller takes to read it is the listener's affair. */
function whenAnswered(res: Response, done: () => void): void {
  const end = res.end.bind(res) as (...args: unknown[]) => Response;
  res.end = ((...args: unknown[]) => {
    done();
    return end(...args);
  }) as Response['end'];
  res.on('close', done);
}
