// Refusals as RFC 9457 problem details, and the error handler for anything else a route throws.
import type { ErrorRequestHandler, Response } from 'express';
import { REFUSALS, type Refusal } from '../../domain/submission/refusal.ts';
import { contextOf } from '../request/context.ts';
import type { Problem } from './response-schemas.ts';

/** Thrown by a route to refuse a request. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.name = 'Refused';
    this.refusal = refusal;
  }
}

export const PROBLEM_TYPE = 'application/problem+json';

/** Retry-After is spread over a range, so that refused callers do not all return at once. */
export type RetryAfterRange = { minS: number; jitterS: number };

export const jitter = ({ minS, jitterS }: RetryAfterRange, random: () => number): number => minS + random() * jitterS;

/** A refusal as problem details. */
export function toProblem({ code, detail, faults }: Refusal, requestId: string): Problem {
  const { status, title } = REFUSALS[code];
  return {
    type: `urn:runstate-bridge:problem:${code}`,
    title,
    status,
    detail,
    code,
    requestId,
    ...(faults && { errors: faults }),
  };
}

/** Answers with a refusal. */
export function refuse(res: Response, refusal: Refusal): void {
  const context = contextOf(res);
  context.refusal = refusal;
  if (refusal.code === 'unauthenticated' && !res.hasHeader('WWW-Authenticate')) {
    res.setHeader('WWW-Authenticate', 'Signature');
  }
  if (refusal.retryAfterS !== undefined) res.setHeader('Retry-After', String(Math.ceil(refusal.retryAfterS)));
  res
    .status(REFUSALS[refusal.code].status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(toProblem(refusal, context.requestId)));
}

/** By body-parser's error types. */
const BODY_FAULTS: Record<string, Refusal> = {
  'entity.too.large': { code: 'too-large', detail: 'the body is larger than this service accepts' },
  'encoding.unsupported': { code: 'unsupported-media-type', detail: 'content codings are not accepted' },
  'entity.parse.failed': { code: 'invalid-json', detail: 'the body is not JSON in UTF-8' },
  'charset.unsupported': { code: 'unsupported-media-type', detail: 'send application/json in UTF-8' },
  'request.size.invalid': { code: 'bad-request', detail: 'the body is not as long as Content-Length says' },
  'request.aborted': { code: 'bad-request', detail: 'the body ended early' },
};

/**
 * Turns what a route threw into a response: a refusal as it is, a body error by its type; anything else is a defect and
 * answered without detail.
 */
export function createErrorHandler(onDefect: (error: unknown) => void): ErrorRequestHandler {
  // Express recognizes an error handler by its four parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  return (error: unknown, _req, res, _next) => {
    const refusal = toRefusal(error, onDefect);
    if (!res.headersSent && !res.destroyed) refuse(res, refusal);
    else if (!res.writableEnded) res.destroy();
  };
}

function toRefusal(error: unknown, onDefect: (error: unknown) => void): Refusal {
  if (error instanceof Refused) return error.refusal;
  const { type, status } = error as { type?: unknown; status?: unknown };
  const known = typeof type === 'string' ? BODY_FAULTS[type] : undefined;
  if (known) return known;
  // Express rejects what it cannot route, such as a path with a broken percent escape.
  if (status === 400) return { code: 'bad-request', detail: 'the request cannot be read' };
  onDefect(error);
  return { code: 'internal-error', detail: 'the service failed; the request id finds it in the log' };
}
