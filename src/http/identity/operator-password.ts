// Access to the dashboard: the operator token as the password of Basic authentication, or as a bearer token.
import type { RequestHandler } from 'express';
import type { CallerParts, Callers } from './callers.ts';
import { readBearer } from './operator-token.ts';
import { operatorsOnly } from './operators-only.ts';
import { contextOf } from '../request/context.ts';
import { Refused } from '../response/problem.ts';

export type PasswordParts = { callers: Callers; verifyOperator: CallerParts['verifyOperator'] };

/** Lets operators pass, with any user name. Without an operator token there is no dashboard: 404. */
export function operatorsByPassword({ callers, verifyOperator }: PasswordParts): RequestHandler {
  const byBearer = operatorsOnly(callers);
  return (req, res, next) => {
    if (!verifyOperator) throw new Refused({ code: 'not-found', detail: 'there is no such route' });
    const { authorization } = req.headers;
    if (readBearer(authorization) !== null) return byBearer(req, res, next);
    const password = readPassword(authorization);
    if (password !== null && verifyOperator(`Bearer ${password}`)) {
      contextOf(res).caller = { kind: 'operator', tenantIds: null };
      next();
      return;
    }
    res.setHeader('WWW-Authenticate', 'Basic realm="runstate-bridge", charset="UTF-8"');
    throw new Refused({ code: 'unauthenticated', detail: 'any user name, and the operator token as the password' });
  };
}

/** The password of an `Authorization: Basic` header field; null if there is none. */
function readPassword(authorization: string | undefined): string | null {
  const encoded = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return null;
  return /^[^:]*:(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8'))?.[1] ?? null;
}
