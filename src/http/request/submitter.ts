// Who submits: known from the head, before a byte of the body is read or a place among those in hand is taken.
import type { RequestHandler, Response } from 'express';
import type { Caller, Callers } from '../identity/callers.ts';

/** One device for itself, or a relay for any. */
export type Submitter = Extract<Caller, { kind: 'device' | 'relay' }>;

const HINT = 'the request must be signed with this device’s key, now';

export function identifySubmitter({ identify }: Callers): RequestHandler {
  return async (req, res, next) => {
    res.locals['submitter'] = await identify(req, res, { accept: ['device', 'relay'], hasBody: true, hint: HINT });
    next();
  };
}

/** The submitter that was identified. @throws Refused where it signed another body than came */
export function submitterOf(res: Response, { requireBody }: Callers, body: Buffer): Submitter {
  const submitter = res.locals['submitter'] as Submitter;
  requireBody(res, submitter, body, HINT);
  return submitter;
}
