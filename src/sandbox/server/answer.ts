// A response before it is sent: status, headers, body, and Retry-After.

export type Answer = {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** The wait that the Retry-After header in `headers` asks for, if the sandbox knows it. */
  retryAfterMs?: number;
};

/** Whether the request changed stored data. */
export type Effect = 'applied' | 'none';

/** The result of an executed request. */
export type Outcome = { answer: Answer; effect: Effect };

/** A response with a JSON body. */
export function jsonAnswer(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

/** A response with a plain-text body. */
export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body };
}

/** The outcome of a request that changed nothing. */
export function unchanged(answer: Answer): Outcome {
  return { answer, effect: 'none' };
}
