// A response before it is sent: status, headers, body, and Retry-After.

export type Answer = {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** What a Retry-After header in `headers` means, when the sandbox understands it itself. */
  retryAfterMs?: number;
};

/** Whether the request changed what is stored. */
export type Effect = 'applied' | 'none';

/** What came of a request that was carried out. */
export type Outcome = { answer: Answer; effect: Effect };

/** An answer with a JSON body. */
export function jsonAnswer(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

/** An answer with a body of plain words. */
export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body };
}

/** The outcome of a request that changed nothing. */
export function unchanged(answer: Answer): Outcome {
  return { answer, effect: 'none' };
}
