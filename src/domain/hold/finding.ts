// What one outcome says of the way to Graph: an operation works, Graph was reached, or something fails that may be everybody's.
import type { Outcome } from '../delivery.ts';
import type { About, HoldReason, Operation } from './hold.ts';
import { unavailable } from '../attempt/retry.ts';

export type Finding =
  /** The operation works, for this configuration. */
  | { says: 'works' }
  /** Graph answered a request with a token; of the operation that says nothing. */
  | { says: 'reached' }
  /** It was our own doing. */
  | { says: 'nothing' }
  /** Graph took the request and decided on it, so whatever stopped such requests is over; it did not do what was asked. */
  | { says: 'judged' }
  | Failing;

export type Failing = {
  says: 'fails';
  reason: HoldReason;
  about: About;
  /** `configuration`: it may be this configuration's alone. `tenant`: no configuration can be to blame. */
  scope: 'configuration' | 'tenant';
  /** How many different deliveries must fail like this, with no success in between, before anybody is held. */
  deliveries: number;
  /** Whether one delivery that fails again counts again: a request that was not even sent is no delivery's own. */
  countsAgain: boolean;
  /** What failures must have in common to be counted together. */
  alike: string;
  /** Graph answered, and with a token. */
  reached: boolean;
  /** It says that this configuration is not there, which holds nobody; several that are not there concern the tenant. */
  missing: boolean;
};

/** An outage is believed after so many different deliveries. */
export const FAILURES_UNTIL_HOLD = 5;
/** The same rejection is believed to be everybody's after so many different deliveries. */
export const REJECTIONS_UNTIL_HOLD = 10;

/** @param operation what the attempt asked of Graph */
export function toFinding(outcome: Outcome, operation: Operation): Finding {
  switch (outcome.kind) {
    case 'created':
    case 'found':
    case 'absent':
    case 'inconclusive':
      return { says: 'works' };
    case 'conflict':
      return { says: 'judged' };
    case 'throttled':
      return { says: 'reached' };
    case 'unauthenticated':
    case 'forbidden':
    case 'route-not-served':
      return failing(outcome.kind, operation, { deliveries: 1, reached: true });
    case 'credential-refused':
      return failing(outcome.kind, 'any', { deliveries: 1 });
    case 'not-sent':
      return failing(unavailable(outcome.upstream), 'any', { countsAgain: true });
    case 'delayed':
      return { says: 'nothing' };
    case 'uncertain':
      if (outcome.stoodStill) return { says: 'nothing' };
      return failing('graph-unavailable', operation, {});
    case 'rejected':
      return operation === 'look'
        ? { says: 'judged' }
        : failing('all-rejected', operation, {
            deliveries: REJECTIONS_UNTIL_HOLD,
            reached: true,
            alike: `${outcome.status} ${outcome.graph?.code ?? ''}`,
            missing: outcome.status === 404 || outcome.status === 410,
          });
  }
}

function failing(reason: HoldReason, about: About, changes: Partial<Failing>): Failing {
  return {
    says: 'fails',
    reason,
    about,
    scope: about === 'any' ? 'tenant' : 'configuration',
    deliveries: FAILURES_UNTIL_HOLD,
    countsAgain: false,
    alike: '',
    reached: false,
    missing: false,
    ...changes,
  };
}
