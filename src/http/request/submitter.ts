// Identifies the submitter from the head, before the body is read and the request counts as in flight.
import type { RequestHandler, Response } from 'express';
import type { Caller } from '../identity/caller.ts';
import type { Callers } from '../identity/callers.ts';
import { callerOf, contextOf } from './context.ts';

/** A device for itself, or a relay for any device. */
export type Submitter = Extract<Caller, { kind: 'device' | 'relay' }>;

const HINT = 'the request must be signed with this device’s key, now';

export function identifySubmitter({ identify }: Callers): RequestHandler {
  return async (req, res, next) => {
    contextOf(res).caller = await identify(req, res, { accept: ['device', 'relay'], hasBody: true, hint: HINT });
    next();
  };
}

/** The identified submitter. @throws Refused if it signed a different body */
export function submitterOf(res: Response, { requireBody }: Callers, body: Buffer): Submitter {
  const submitter = callerOf(res);
  if (submitter.kind === 'operator') throw new Error('an operator submits nothing');
  requireBody(res, { caller: submitter, body, hint: HINT });
  return submitter;
}
