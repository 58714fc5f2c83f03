// What is reported about a request once it was answered: for its log line, the metrics and its trace.
import type { Refusal } from '../../domain/submission/refusal.ts';

/** A request that was answered. */
export type RequestSummary = {
  requestId: string;
  /** Only where the request is traced. */
  traceId?: string;
  method: string;
  /** The route's pattern, never the path, which may hold anything. Null where no route matched. */
  route: string | null;
  status: number;
  durationMs: number;
  deviceId: string | null;
  /** The app that called with an Entra token. */
  appId: string | null;
  deliveryId: string | null;
  duplicate: boolean;
  refusal: Refusal | null;
  /** Why the caller was not identified; only for the log. */
  reason: string | null;
};
