// Response or thrown error → Failure; Retry-After read properly. What follows is not decided here.
import type { Failure, GraphEvidence } from '../domain/failure.ts';
import { withoutRepeated } from './repeated.ts';
import { NotConnected, rootCause, TooLate } from './transport.ts';
import type { GraphError } from './wire.ts';

/** An answer as far as it could be read. */
export type Answer = {
  status: number;
  headers: Pick<Headers, 'get'>;
  /** Null where it broke off or was too long. */
  body: string | null;
};

const DETAIL_LENGTH = 500;

/**
 * Names what an answer that is not a success means (the table "When Graph says no").
 * @param now milliseconds since 1970, for a Retry-After that is a date
 * @param said what must not be repeated in the reason, though Graph may do so
 */
export function diagnose(answer: Answer, now: number, said: readonly string[] = []): Failure {
  const { status, headers } = answer;
  const error = readError(answer.body);
  const graph: GraphEvidence = { status, code: error.code, requestId: headers.get('request-id') ?? error.requestId };
  const detail = describe(status, error, said);
  const retryAfter = headers.get('retry-after') ?? error.retryAfter;
  switch (status) {
    case 429:
    case 509:
      return { kind: 'throttled', retryAfterMs: parseRetryAfter(retryAfter, headers.get('date'), now), detail, graph };
    case 503:
      return retryAfter === null
        ? { kind: 'uncertain', detail, graph }
        : { kind: 'throttled', retryAfterMs: parseRetryAfter(retryAfter, headers.get('date'), now), detail, graph };
    case 401:
      return { kind: 'unauthenticated', detail, graph };
    case 402:
    case 403:
      return { kind: 'forbidden', detail, graph };
    case 408:
    case 423:
      return { kind: 'uncertain', detail, graph };
    case 501:
      return { kind: 'rejected', status, detail, graph };
    default:
      return status >= 400 && status < 500
        ? { kind: 'rejected', status, detail, graph }
        : { kind: 'uncertain', detail, graph };
  }
}

/** Names what a request that was never answered means: surely not sent, or who knows. */
export function diagnoseThrown(thrown: unknown): Failure {
  const cause = rootCause(thrown);
  if (cause instanceof NotConnected || cause instanceof TooLate) {
    return { kind: 'not-sent', upstream: 'graph', detail: nameOf(cause.cause ?? cause), graph: null };
  }
  return { kind: 'uncertain', detail: nameOf(cause), graph: null };
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed';
  const { code } = error as NodeJS.ErrnoException;
  return `${typeof code === 'string' ? code : error.name}: ${error.message}`.slice(0, DETAIL_LENGTH);
}

/**
 * Reads Retry-After: seconds, also fractional, or an HTTP date (RFC 9110 §10.2.3), taken relative to the answer's own
 * Date where it has one, since clocks differ.
 * @returns milliseconds, or null where there is none that can be read
 */
export function parseRetryAfter(value: string | null, dateHeader: string | null, now: number): number | null {
  if (value === null) return null;
  const text = value.trim();
  if (/^\d{1,12}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = /^[A-Za-z]{3,9}, /.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) return null;
  const sentAt = dateHeader === null ? NaN : Date.parse(dateHeader);
  return Math.max(0, at - (Number.isNaN(sentAt) ? now : sentAt));
}

type ReadError = { code: string | null; message: string | null; requestId: string | null; retryAfter: string | null };

const UNREAD: ReadError = { code: null, message: null, requestId: null, retryAfter: null };

/** Reads Graph's envelope; gateways answer HTML or nothing, and Intune puts JSON text into `message`. */
function readError(body: string | null): ReadError {
  const json = parseJson(body ?? '') as Partial<GraphError> | null;
  const error = json?.error as GraphError['error'] | null | undefined;
  if (typeof error !== 'object' || error === null) return UNREAD;
  const inner = error.innerError ?? error.innererror;
  const message = textOf(error.message);
  const nested = parseJson(message ?? '') as { Message?: unknown; RetryAfter?: unknown } | null;
  const retryAfter = nested?.RetryAfter;
  return {
    code: textOf(error.code),
    message: textOf(nested?.Message) ?? message,
    requestId: textOf(inner?.['request-id']),
    retryAfter: typeof retryAfter === 'number' || typeof retryAfter === 'string' ? String(retryAfter) : null,
  };
}

function describe(status: number, { code, message }: ReadError, said: readonly string[]): string {
  return [`${status}`, code, message && withoutRepeated(message, said)]
    .filter((part) => part !== null && part !== '')
    .join(' ')
    .slice(0, DETAIL_LENGTH);
}

function parseJson(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' ? json : null;
  } catch {
    return null;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
