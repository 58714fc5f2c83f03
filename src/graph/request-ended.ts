// The event reported when a request to Graph or the token endpoint ends.

/** A request ended: what it was for, what was answered (null: nothing), how long it took. */
export type RequestEnded = (request: {
  operation: 'create' | 'list' | 'token';
  status: number | null;
  durationMs: number;
  /** What finds a request to Graph again: the id it was sent with, and the one it was answered with. */
  ids?: { client: string; graph: string | null };
}) => void;
