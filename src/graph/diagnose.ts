// Maps a response or a thrown error to a Failure. What follows from it is decided elsewhere.
import type { Failure, GraphEvidence } from '../domain/attempt/failure.ts';
import { withoutRepeated } from './redact-echo.ts';
import { readWait } from './retry-after.ts';
import { NotConnected, rootCause, TooLate } from './transport.ts';
import type { GraphError } from './wire.ts';

/** A response, as far as it could be read. */
export type Answer = {
  status: number;
  headers: Pick<Headers, 'get'>;
  /** Null if it broke off or was too long. */
  body: string | null;
};

const DETAIL_LENGTH = 500;

/**
 * With these statuses Graph refuses the request itself, so certainly nothing was written. A status that is not documented
 * for such a request says nothing about the result, not even by its first digit.
 */
const REJECTIONS: readonly number[] = [400, 404, 405, 406, 410, 411, 412, 413, 414, 415, 416, 422, 501];

/** Only the error tells whether these are about this record or about the whole tenant, such as a route that is not served. */
const REASON_NEEDED: readonly number[] = [400, 404];

/** The messages of Intune's gateway for documented routes that its services do not serve, as a code or in plain words. */
const UNSERVED = /no\s+method\s+match(?:es|ed)?\s+(?:the\s+)?route\s+template|no\s+odata\s+route\s+exists/i;

type Answered = {
  answer: Answer;
  /** Milliseconds since 1970, for a Retry-After that is a date. */
  now: number;
  /** Device texts that must not appear in the reason, although Graph may repeat them. */
  said?: readonly string[];
  /** What was requested: a create that is not allowed or not implemented means a route that is not served. */
  operation?: 'create' | 'list';
};

/** Maps an unsuccessful response to a failure (the table "When Graph says no"). */
export function diagnose({ answer, now, said = [], operation = 'list' }: Answered): Failure {
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
  if (!REJECTIONS.includes(status)) return { kind: 'uncertain', detail, graph };
  return REASON_NEEDED.includes(status) && brokeOff(answer.body)
    ? { kind: 'uncertain', detail: `${detail}: the error broke off before it said why`, graph }
    : { kind: 'rejected', status, detail, graph };
}

const brokeOff = (body: string | null) => body === null || (/^\s*\{/.test(body) && parseJson(body) === null);

/**
 * Whether a response comes from Graph itself. Its gateway adds a request id to every response, and its errors are JSON; an
 * HTML page or plain text without an id comes from something in between, which cannot know what became of the request.
 */
export function isFromGraph({ headers, body }: Answer): boolean {
  if (headers.get('request-id') !== null) return true;
  if (body === null) return !/html|text\/plain/i.test(headers.get('content-type') ?? '');
  return /^\s*(?:\{|$)/.test(body);
}

/** Text from the device itself proves nothing, as Graph may repeat it. */
function isUnserved(status: number, { code, words }: ReadError, said: readonly string[], operation: string): boolean {
  if (operation === 'create' && (status === 405 || status === 501)) return true;
  return REJECTIONS.includes(status) && UNSERVED.test(`${code ?? ''} ${withoutRepeated(words ?? '', said)}`);
}

/** Announced so long ago that sending it now would not be safe, through a delay of our own. */
export const DELAYED: Failure = {
  kind: 'delayed',
  detail: 'too long after it was announced: Redis or this process stood still meanwhile; nothing was sent',
  graph: null,
};

/** Maps a request without a response to a failure: certainly not sent, or uncertain. */
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
  /** The original message, including nested ones. */
  words: string | null;
  requestId: string | null;
  retryAfter: string | null;
};

const UNREAD: ReadError = { code: null, message: null, words: null, requestId: null, retryAfter: null };

/** Reads Graph's error envelope; gateways respond with HTML or nothing, and Intune nests JSON text in `message`. */
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
