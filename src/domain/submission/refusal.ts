// Why a request was refused: a closed table of stable codes.
import type { Fault } from './run-result.ts';

/** Code → HTTP status and title. Codes are stable: devices and scripts branch on them. */
export const REFUSALS = {
  'bad-request': { status: 400, title: 'The request is not well-formed HTTP' },
  'invalid-json': { status: 400, title: 'The body is not JSON in UTF-8' },
  unauthenticated: { status: 401, title: 'The request is not signed by a known device, or not in time' },
  'role-missing': { status: 403, title: 'The token has no role for this' },
  'cross-site': { status: 403, title: 'Another site’s page may not ask this' },
  'wrong-device': { status: 403, title: 'A device may only speak for itself' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'run-id-reused': { status: 409, title: 'This run id was used for another result' },
  'replay-running': { status: 409, title: 'Another replay has not ended' },
  'replay-ended': { status: 409, title: 'The replay has ended' },
  'too-large': { status: 413, title: 'The body is too large' },
  'url-too-long': { status: 414, title: 'The address is too long' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json in UTF-8, not encoded' },
  'invalid-request': { status: 422, title: 'The request has faults' },
  'invalid-run-result': { status: 422, title: 'The run result has faults' },
  'too-fast': { status: 429, title: 'This device submits too fast; nothing is stored' },
  'backlog-full': { status: 429, title: 'Too much waits already; nothing is stored' },
  'headers-too-large': { status: 431, title: 'The header fields are too large or too many' },
  'internal-error': { status: 500, title: 'The service failed' },
  overloaded: { status: 503, title: 'Too many requests at once; nothing is promised' },
  'identity-unavailable': { status: 503, title: 'Who calls cannot be told at present; nothing is promised' },
  'queue-unavailable': { status: 503, title: 'The queue is not available; nothing is promised' },
} as const satisfies Record<string, { status: number; title: string }>;

export type RefusalCode = keyof typeof REFUSALS;

export type Refusal = {
  code: RefusalCode;
  /** What was wrong with this request; never contains secrets or another device's data. */
  detail: string;
  faults?: Fault[];
  retryAfterS?: number;
};
