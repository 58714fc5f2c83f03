// The operators' routes as the CLI calls them: the bridge's address, the operator token, answers or a clear complaint.
import { EXIT } from './exit.ts';
import { complain } from './out.ts';

export type OperatorFlags = { url: string };

/** Something the bridge or the way to it refused, with the exit code that tells which. */
export class OperatorError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'OperatorError';
    this.exitCode = exitCode;
  }
}

const ANSWER_WITHIN_MS = 120_000;

/** A route of the bridge, also where it lives below a path, such as https://host/prefix. */
export function routeOf(base: string, path: string): URL {
  const { origin, pathname } = new URL(base);
  return new URL(`${pathname.replace(/\/+$/, '')}${path}`, origin);
}

/**
 * Calls an operators' route; with a body it is a POST.
 * @throws OperatorError with the exit code: 64 no token, 65 refused, 75 not reachable or not now
 */
export async function operate<T>(
  { url }: OperatorFlags,
  path: string,
  body?: object,
  withinMs = ANSWER_WITHIN_MS,
): Promise<T> {
  const token = process.env['OPERATOR_TOKEN'];
  if (token === undefined || token === '') throw new OperatorError('OPERATOR_TOKEN is not set', EXIT.usage);
  const response = await fetch(routeOf(url, path), {
    method: body ? 'POST' : 'GET',
    headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(withinMs),
  }).catch((error: unknown): never => {
    throw new OperatorError(`${url} is not reachable: ${reasonOf(error)}`, EXIT.later);
  });
  const answer = (await response.json().catch(() => ({}))) as T & { code?: string; detail?: string };
  if (response.ok) return answer;
  throw new OperatorError(
    `refused: ${response.status} ${answer.code ?? ''} ${answer.detail ?? ''}`.trim(),
    response.status >= 500 ? EXIT.later : EXIT.refused,
  );
}

/** What kept a request from its answer: fetch hides it in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

/** Runs a command whose trouble is complained about in one line and told by the exit code. */
export function complaining<T extends unknown[]>(
  command: (...args: T) => Promise<void>,
): (...args: T) => Promise<void> {
  return async (...args) => {
    try {
      await command(...args);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      complain(error.message);
      process.exitCode = error.exitCode;
    }
  };
}
