// Calls the bridge's operator routes: address, token, and a checked response or a clear error.
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { z } from 'zod';
import { problemSchema } from '../../http/response/response-schemas.ts';
import { isLater } from '../../device/outcome.ts';
import { readText } from '../../device/response-text.ts';
import { EXIT } from '../exit.ts';
import { printError } from '../out.ts';

export type OperatorFlags = {
  url: string;
  /** Only this tenant; without it all that the operator may see. */
  tenant?: string;
};

type ErrorDetails = { reason?: string; httpStatus?: number | null };

/** A command failed, with its exit code: refused by the bridge, or the bridge is unreachable. */
export class OperatorError extends Error {
  readonly exitCode: number;
  /** The reason alone, if the message begins with the address. */
  readonly reason: string;
  /** The bridge's status, if it refused. */
  readonly httpStatus: number | null;
  constructor(message: string, exitCode: number, { reason = message, httpStatus = null }: ErrorDetails = {}) {
    super(message);
    this.name = 'OperatorError';
    this.exitCode = exitCode;
    this.reason = reason;
    this.httpStatus = httpStatus;
  }
}

/** A request and its expected response. */
export type CallOptions<T> = {
  schema: z.ZodType<T>;
  /** Makes the request a POST. */
  body?: object;
  headers?: Record<string, string>;
  withinMs?: number;
  /** Further statuses besides 200 whose body matches the schema. */
  alsoWith?: readonly number[];
};

const ANSWER_WITHIN_MS = 120_000;
/** Far more than the longest page of dead letters. */
const MOST_CHARACTERS = 64 * 1024 * 1024;

/** Unknown codes of a newer bridge are passed on. */
const refusalSchema = problemSchema.pick({ title: true, status: true, detail: true }).extend({ code: z.string() });

/** The URL of a route, also if the bridge has a base path, such as https://host/prefix. */
export function routeOf(base: string, path: string): URL {
  const { origin, pathname } = new URL(base);
  return new URL(`${pathname.replace(/\/+$/, '')}${path}`, origin);
}

/**
 * Calls an operators' route.
 * @throws OperatorError with the exit code: 64 no token, 65 refused, 69 not the bridge, 75 unreachable or unavailable
 */
export async function operate<T>(flags: OperatorFlags, path: string, options: CallOptions<T>): Promise<T> {
  return callBridge(flags, ofTenant(path, flags.tenant), {
    ...options,
    headers: { Authorization: `Bearer ${readToken()}` },
  });
}

function readToken(): string {
  const token = process.env['OPERATOR_TOKEN'];
  if (token === undefined || token === '') throw new OperatorError('OPERATOR_TOKEN is not set', EXIT.usage);
  return token;
}

/**
 * The body of an operators' route as it arrives, however long it is.
 * @throws OperatorError as `operate` does
 */
export async function callForStream(flags: OperatorFlags, path: string, mediaType: string): Promise<Readable> {
  const url = routeOf(flags.url, ofTenant(path, flags.tenant));
  const headers = { Authorization: `Bearer ${readToken()}`, Accept: mediaType };
  const response = await fetch(url, { headers, redirect: 'manual' }).catch(unreachable(flags.url));
  const isIt = response.ok && response.headers.get('content-type')?.startsWith(mediaType) === true;
  if (isIt && response.body) return Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
  throw await toRefusal(flags.url, response);
}

function ofTenant(path: string, tenant: string | undefined): string {
  if (tenant === undefined) return path;
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ tenant }).toString()}`;
}

/**
 * Calls a route and checks the response against the schema the API publishes. Redirects are not followed: the token is
 * only for the given address.
 * @throws OperatorError as `operate` does
 */
export async function callBridge<T>({ url }: OperatorFlags, path: string, options: CallOptions<T>): Promise<T> {
  const { schema, body, headers, withinMs = ANSWER_WITHIN_MS, alsoWith = [] } = options;
  const response = await fetch(routeOf(url, path), {
    method: body ? 'POST' : 'GET',
    headers: { ...headers, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    redirect: 'manual',
    signal: AbortSignal.timeout(withinMs),
  }).catch(unreachable(url));
  const json = parseJson(await readText(response, MOST_CHARACTERS).catch(unreachable(url)));
  if (response.ok || alsoWith.includes(response.status)) {
    const checked = schema.safeParse(json);
    // Returned unparsed: members unknown to this version are kept for the reader.
    if (checked.success) return json as T;
    if (response.ok) throw notTheBridge(url, response, json === undefined ? null : checked.error);
  }
  throw toError(url, response, json);
}

async function toRefusal(url: string, response: Response): Promise<OperatorError> {
  const text = await readText(response, MOST_CHARACTERS).catch(unreachable(url));
  return toError(url, response, parseJson(text));
}

function toError(url: string, response: Response, json: unknown): OperatorError {
  const refusal = refusalSchema.safeParse(json);
  if (refusal.success) {
    const { code, detail } = refusal.data;
    return new OperatorError(
      `refused: ${response.status} ${code} ${detail}`.trim(),
      isLater(response.status) ? EXIT.later : EXIT.refused,
      { httpStatus: response.status },
    );
  }
  if (isLater(response.status)) {
    const reason = `answers ${response.status}, and not in the bridge’s words`;
    return new OperatorError(`${url} ${reason}`, EXIT.later, { reason });
  }
  return notTheBridge(url, response, null);
}

const unreachable =
  (url: string) =>
  (error: unknown): never => {
    const reason = reasonOf(error);
    throw new OperatorError(`${url} is not reachable: ${reason}`, EXIT.later, { reason });
  };

function notTheBridge(url: string, { status, headers }: Response, error: z.ZodError | null): OperatorError {
  const [issue] = error?.issues ?? [];
  const what =
    status >= 300 && status < 400
      ? `redirects to ${headers.get('location') ?? 'nowhere'}`
      : issue
        ? `answers ${status} with JSON, but not as this version of the bridge does (${['', ...issue.path].join('/') || 'all of it'} is not what it should be)`
        : `answers ${status} with ${headers.get('content-type') ?? 'nothing'}, not as the bridge does`;
  return new OperatorError(`${url} ${what}: does this address lead to the bridge?`, EXIT.unavailable, { reason: what });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Why a request got no response, from the cause in which fetch hides it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

/** Runs a command; an `OperatorError` becomes one line on stderr and the exit code. */
export function withOperatorErrors<T extends unknown[]>(
  command: (...args: T) => Promise<void>,
): (...args: T) => Promise<void> {
  return async (...args) => {
    try {
      await command(...args);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      printError(error.message);
      process.exitCode = error.exitCode;
    }
  };
}
