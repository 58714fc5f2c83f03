// Restricts the operators' routes to operators; responds with 404 if no operator access is configured.
import type { RequestHandler } from 'express';
import type { Callers } from './callers.ts';
import { contextOf } from '../request/context.ts';
import { Refused } from '../response/problem.ts';

const QUESTION = {
  accept: ['operator'],
  hasBody: false,
  hint: 'send the operator token: Authorization: Bearer …',
} as const;

export function operatorsOnly({ haveOperators, identify }: Callers): RequestHandler {
  return async (req, res, next) => {
    if (!haveOperators) throw new Refused({ code: 'not-found', detail: 'there is no such route' });
    contextOf(res).caller = await identify(req, res, QUESTION).catch((error: unknown): never => {
      if (error instanceof Refused && error.refusal.code === 'unauthenticated') {
        res.setHeader('WWW-Authenticate', 'Bearer');
      }
      throw error;
    });
    next();
  };
}
