// The operators' shared bearer token.
import { hash } from 'node:crypto';
import { equal } from './constant-time.ts';

/** The token of an `Authorization: Bearer` header field; null if there is none. */
export function readBearer(authorization: string | undefined): string | null {
  return /^Bearer ([^\s]+)$/i.exec(authorization ?? '')?.[1] ?? null;
}

/** Creates the check of the operators' bearer token. */
export function createVerifyOperator(token: string): (authorization: string | undefined) => boolean {
  const expected = digest(token);
  return (authorization) => {
    const given = readBearer(authorization);
    return given !== null && equal(digest(given), expected);
  };
}

const digest = (text: string) => hash('sha256', text, 'buffer');
