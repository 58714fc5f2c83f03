// The event reported when a request to Graph or the token endpoint ends.

/** A completed request: its operation, its status (null: no response) and its duration. */
export type RequestEnded = (request: {
  operation: 'create' | 'list' | 'device' | 'token';
  status: number | null;
  durationMs: number;
  /** The ids for tracing a request to Graph: the one it was sent with, and the one in the response. */
  ids?: { client: string; graph: string | null };
}) => void;
