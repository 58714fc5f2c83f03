// Every way an attempt can fail: one closed union. What follows from each is decided in retry.ts.

/** What Graph (or its gateway) answered, as far as it could be read. */
export type GraphEvidence = {
  status: number | null;
  /** `error.code` of Graph's envelope. */
  code: string | null;
  requestId: string | null;
};

type Common = {
  /** For an operator: what happened, without secrets, output or personal data. */
  detail: string;
  /** Null where nothing was answered. */
  graph: GraphEvidence | null;
};

/** Where a request did not get through to. */
export type Upstream = 'graph' | 'token-endpoint';

export type Failure = Common &
  (
    | { kind: 'throttled'; /** Null where Graph named no time. */ retryAfterMs: number | null }
    | { kind: 'not-sent'; upstream: Upstream }
    | { /** Redis or this process stood still until it was too late to send anything. */ kind: 'delayed' }
    | {
        kind: 'uncertain';
        /** Its worker went away; until the attempt's time-out it may still be on its way. */ abandoned?: true;
        /** This process stood still meanwhile, so it is no sign of trouble with Graph. */ stoodStill?: true;
      }
    | { kind: 'inconclusive'; /** Where the next lookup goes on; null from the start. */ next: string | null }
    | { kind: 'conflict' }
    | { kind: 'unauthenticated' }
    | { kind: 'credential-refused' }
    | { kind: 'forbidden' }
    | { kind: 'route-not-served' }
    | { kind: 'rejected'; status: number }
  );

export const FAILURE_KINDS = [
  'throttled',
  'not-sent',
  'delayed',
  'uncertain',
  'inconclusive',
  'conflict',
  'unauthenticated',
  'credential-refused',
  'forbidden',
  'route-not-served',
  'rejected',
] as const satisfies readonly Failure['kind'][];
