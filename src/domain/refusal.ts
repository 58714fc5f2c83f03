// Why a submission or question was not accepted: a closed table of stable codes.
import type { Fault } from './run-result.ts';

/** Code → HTTP status and title. Codes are stable: devices and scripts branch on them. */
export const REFUSALS = {
  'bad-request': { status: 400, title: 'The request is not well-formed HTTP' },
  'invalid-json': { status: 400, title: 'The body is not JSON in UTF-8' },
  unauthenticated: { status: 401, title: 'The request is not signed by a known device, or not in time' },
  'wrong-device': { status: 403, title: 'A device may only speak for itself' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'run-id-reused': { status: 409, title: 'This run id was used for another result' },
  'too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json in UTF-8, not encoded' },
  'invalid-request': { status: 422, title: 'The request has faults' },
  'invalid-run-result': { status: 422, title: 'The run result has faults' },
  'headers-too-large': { status: 431, title: 'The header fields are too large' },
  'internal-error': { status: 500, title: 'The service failed' },
  'queue-unavailable': { status: 503, title: 'The queue is not available; nothing is promised' },
} as const satisfies Record<string, { status: number; title: string }>;

export type RefusalCode = keyof typeof REFUSALS;

export type Refusal = {
  code: RefusalCode;
  /** What in this request was not acceptable; never a secret, never another device's. */
  detail: string;
  faults?: Fault[];
  retryAfterS?: number;
};
