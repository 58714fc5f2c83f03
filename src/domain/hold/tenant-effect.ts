// What the outcome of one attempt means for its whole tenant: a closed union. decide.ts chooses one, judge.ts derives holds from it.
import type { About, HoldReason } from './hold.ts';

export type TenantEffect =
  /** The outcome says nothing about Graph: the delay was our own. */
  | { kind: 'nothing' }
  /** Graph was reached with a token and says “not before”: nobody sends until then. Null where it named no time. */
  | { kind: 'throttle'; retryAfterMs: number | null }
  /** Graph decided on the request, so whatever stopped such requests is over; it did not do what was asked. */
  | { kind: 'answered' }
  /** The operation works for this configuration. Only one carried out in full ends the backoff of earlier throttling. */
  | { kind: 'recovered'; inFull: boolean }
  /** One such failure is enough for a hold. */
  | ({ kind: 'hold' } & FailureCause)
  /** A hold begins once enough failures of this kind have been counted. */
  | ({ kind: 'count-failure' } & FailureCause & FailureCount);

export type FailureCause = {
  reason: HoldReason;
  about: About;
  /** What happened, for an operator. */
  detail: string;
  /** `configuration`: it may be this configuration's alone. `tenant`: no single configuration can be to blame. */
  scope: 'configuration' | 'tenant';
  /** Failures are counted together only where this is the same. */
  alike: string;
  /** Graph itself answered, so it was reached with a token. */
  reached: boolean;
  /** Graph says that this configuration does not exist. That holds nobody, unless several configurations are answered so. */
  missing: boolean;
};

export type FailureCount = {
  /** How many deliveries must fail like this, with no success in between. */
  failuresUntilHold: number;
  /** Whether a delivery that fails again counts again: where nothing was even sent, the delivery cannot be to blame. */
  countsAgain: boolean;
};

/** An outage is believed after this many different deliveries. */
export const FAILURES_UNTIL_HOLD = 5;
/** The same rejection is believed to concern everybody after this many different deliveries. */
export const REJECTIONS_UNTIL_HOLD = 10;
