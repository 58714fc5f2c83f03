// What the outcome of one attempt means for its whole tenant: a closed union. decide.ts chooses one, judge.ts derives holds from it.
import type { About, HoldReason } from './hold.ts';

export type TenantEffect =
  /** The outcome says nothing about Graph: the delay was on our side. */
  | { kind: 'nothing' }
  /** Graph was reached with a token and throttles: nothing is sent until then. Null if it gave no time. */
  | { kind: 'throttle'; retryAfterMs: number | null }
  /** Graph decided on the request, so whatever blocked such requests is over, though the operation did not succeed. */
  | { kind: 'answered'; missing: boolean }
  /**
   * The operation works for this configuration. Only a complete success ends the backoff of earlier throttling.
   * `delivered`: the record is in Graph, so nothing more follows for this delivery.
   */
  | { kind: 'recovered'; inFull: boolean; delivered: boolean }
  /** A single failure of this kind begins a hold. */
  | ({ kind: 'hold' } & FailureCause)
  /** A hold begins once enough failures of this kind have been counted. */
  | ({ kind: 'count-failure' } & FailureCause & FailureCount);

export type FailureCause = {
  reason: HoldReason;
  about: About;
  /** What happened, for an operator. */
  detail: string;
  /** `configuration`: may concern only this configuration. `tenant`: no single configuration can be the cause. */
  scope: 'configuration' | 'tenant';
  /** Only failures with the same value are counted together. */
  alike: string;
  /** Graph itself responded, so it was reached with a token. */
  reached: boolean;
  /** Graph says that this configuration does not exist, which ends its holds. Begins a hold of the tenant if several configurations get this answer. */
  missing: boolean;
};

export type FailureCount = {
  /** How many deliveries must fail this way without a success in between. */
  failuresUntilHold: number;
  /** Whether repeated failures of one delivery count: if nothing was even sent, the delivery cannot be the cause. */
  countsAgain: boolean;
};

/** How many different deliveries must fail before an outage is assumed. */
export const FAILURES_UNTIL_HOLD = 5;
/** How many different deliveries must be rejected the same way before it is assumed to affect all of them. */
export const REJECTIONS_UNTIL_HOLD = 10;
