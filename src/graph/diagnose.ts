// Response or thrown error → Failure. What follows is not decided here.
import type { Failure, GraphEvidence } from '../domain/attempt/failure.ts';
import { withoutRepeated } from './redact-echo.ts';
import { readWait } from './retry-after.ts';
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
 * By these Graph says what was wrong with the request itself, so surely nothing was written. A status that no service
 * documents for such a request says nothing about the result, whatever its first digit.
 */
const REJECTIONS: readonly number[] = [400, 404, 405, 406, 410, 411, 412, 413, 414, 415, 416, 422, 501];

/** What Intune's front door says of documented routes its services do not serve: as a code, or only in words. */
const UNSERVED = /no\s+method\s+match(?:es|ed)?\s+(?:the\s+)?route\s+template|no\s+odata\s+route\s+exists/i;

/**
 * Names what an answer that is not a success means (the table "When Graph says no").
 * @param now milliseconds since 1970, for a Retry-After that is a date
 * @param said what must not be repeated in the reason, though Graph may do so
 * @param operation what was asked: a create that is not allowed or not implemented there is a route that is not served
 */
export function diagnose(
  answer: Answer,
  now: number,
  said: readonly string[] = [],
  operation: 'create' | 'list' = 'list',
): Failure {
  const { status, headers } = answer;
  const error = readError(answer.body);
  const graph: GraphEvidence = { status, code: error.code, requestId: headers.get('request-id') ?? error.requestId };
  const detail = describe(status, error, said);
  const wait = readWait(headers, error.retryAfter, now);
  if (status === 429 || status === 509 || (status === 503 && wait.asked)) {
    return { kind: 'throttled', retryAfterMs: wait.ms, detail, graph };
  }
  if (status === 407) {
    return { kind: 'not-sent', upstream: 'graph', detail: `${detail}: a proxy asks for credentials`, graph };
  }
  if (!isFromGraph(answer)) {
    return { kind: 'uncertain', detail: `${detail}: by a proxy or gateway on the way, not by Graph`, graph };
  }
  if (status === 401) return { kind: 'unauthenticated', detail, graph };
  if (status === 402 || status === 403) return { kind: 'forbidden', detail, graph };
  if (status === 409) return { kind: 'conflict', detail, graph };
  if (isUnserved(status, error, said, operation)) return { kind: 'route-not-served', detail, graph };
  return REJECTIONS.includes(status)
    ? { kind: 'rejected', status, detail, graph }
    : { kind: 'uncertain', detail, graph };
}

/**
 * Whether an answer is Graph's own word. Its front door gives every answer a request id, and its refusals are JSON; a
 * page or a line of text without one was written by something in between, which cannot know what became of the request.
 */
export function isFromGraph({ headers, body }: Answer): boolean {
  if (headers.get('request-id') !== null) return true;
  if (body === null) return !/html|text\/plain/i.test(headers.get('content-type') ?? '');
  return /^\s*(?:\{|$)/.test(body);
}

/** What the device said itself proves nothing: Graph may repeat it. */
function isUnserved(status: number, { code, words }: ReadError, said: readonly string[], operation: string): boolean {
  if (operation === 'create' && (status === 405 || status === 501)) return true;
  return REJECTIONS.includes(status) && UNSERVED.test(`${code ?? ''} ${withoutRepeated(words ?? '', said)}`);
}

/** Announced so long ago that sending it now would not be safe, and nobody's fault but ours. */
export const DELAYED: Failure = {
  kind: 'delayed',
  detail: 'too long after it was announced: Redis or this process stood still meanwhile; nothing was sent',
  graph: null,
};

/** Names what a request that was never answered means: surely not sent, or who knows. */
export function diagnoseThrown(thrown: unknown): Failure {
  const cause = rootCause(thrown);
  if (cause instanceof TooLate) return DELAYED;
  if (cause instanceof NotConnected) {
    return { kind: 'not-sent', upstream: 'graph', detail: nameOf(cause.cause ?? cause), graph: null };
  }
  return { kind: 'uncertain', detail: nameOf(cause), graph: null };
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed';
  const { code } = error as NodeJS.ErrnoException;
  return `${typeof code === 'string' ? code : error.name}: ${error.message}`.slice(0, DETAIL_LENGTH);
}

type ReadError = {
  code: string | null;
  message: string | null;
  /** The message as it came, with what is nested in it. */
  words: string | null;
  requestId: string | null;
  retryAfter: string | null;
};

const UNREAD: ReadError = { code: null, message: null, words: null, requestId: null, retryAfter: null };

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
    words: message,
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
