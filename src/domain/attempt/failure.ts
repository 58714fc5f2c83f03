// All ways in which an attempt can fail, as a closed union. decide.ts decides what follows from each.

/** The response of Graph or its gateway, as far as it could be read. */
export type GraphEvidence = {
  status: number | null;
  /** `error.code` of Graph's envelope. */
  code: string | null;
  requestId: string | null;
};

type Common = {
  /** What happened, for an operator; without secrets, output or personal data. */
  detail: string;
  /** Null if there was no response. */
  graph: GraphEvidence | null;
};

/** The endpoint that could not be reached. */
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

/** A description of each kind of failure for operators: what happened, and what that means for the record. */
export const FAILURES: Record<Failure['kind'], string> = {
  throttled: 'Graph asked to wait; surely nothing was written, and no try is spent',
  'not-sent': 'no connection came to be, so nothing was sent',
  delayed: 'Redis or the worker stood still until it was too late to send it, so nothing was sent and no try is spent',
  uncertain: 'the request was sent and no answer came that can be relied on',
  inconclusive: 'not all of Graph’s records could be read',
  conflict: 'Graph said that it collides with a record it has: whether that is this one is looked up',
  unauthenticated: 'Graph refused the token; surely nothing was written, and no try is spent',
  'credential-refused': 'the token endpoint refused the credential, so nothing was sent and no try is spent',
  forbidden: 'Graph refused the app’s permission or the licence; surely nothing was written, and no try is spent',
  'route-not-served': 'the tenant’s Intune does not serve this route; surely nothing was written, and no try is spent',
  rejected: 'Graph refused this record for its own sake',
};

export const FAILURE_KINDS = Object.keys(FAILURES) as [Failure['kind'], ...Failure['kind'][]];
