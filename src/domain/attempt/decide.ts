// Decides what follows from an outcome, for the delivery and for its whole tenant. One case per kind of outcome.
import type { Delivery, Outcome } from '../delivery.ts';
import type { HoldReason, Operation } from '../hold/hold.ts';
import {
  FAILURES_UNTIL_HOLD,
  REJECTIONS_UNTIL_HOLD,
  type FailureCause,
  type FailureCount,
  type TenantEffect,
} from '../hold/tenant-effect.ts';
import type { Failure, Upstream } from './failure.ts';
import { backoffMs, LOOKUPS_UNTIL_ABSENT, type Policy } from './retry-policy.ts';

/** What happens to the delivery next. Instants are milliseconds since 1970. */
export type Verdict =
  | { then: 'done'; deviceRunStateId: string }
  | { then: 'again'; at: number }
  /** Nothing was tried: the delivery keeps its turn. */
  | { then: 'at-once' }
  | { then: 'look'; at: number }
  | { then: 'create-again'; at: number }
  | { then: 'everyone-waits'; retryAfterMs: number | null }
  | { then: 'hold'; reason: HoldReason }
  | { then: 'dead'; code: string };

export type Decision = {
  verdict: Verdict;
  /** Replaces the verdict while a hold explains the failure, which is then not the delivery's own. */
  verdictWhileHeld: Verdict;
  tenant: TenantEffect;
};

/** `now` in milliseconds since 1970, 0 ≤ `random` < 1. */
export type Chance = { now: number; random: number };

/** Dead-letter code of a create that conflicts with a record although no record matches it. */
const CONFLICT = 'graph-409';
/** The dead-letter codes besides `graph-<status>`. */
const EXPIRED = 'expired';
const EXPIRED_UNCERTAIN = 'expired-uncertain';
/** The dead-letter codes that are known without Graph. */
export const DEAD_CODES: readonly string[] = [EXPIRED, EXPIRED_UNCERTAIN, CONFLICT];

type DecisionInput = { outcome: Outcome; delivery: Delivery; chance: Chance; policy: Policy };

/** Pure: time and randomness are arguments. */
export function decide({ outcome, delivery, chance, policy }: DecisionInput): Decision {
  const { now, random } = chance;
  const operation: Operation = delivery.intent?.sends === 'look' ? 'look' : 'create';
  switch (outcome.kind) {
    case 'created':
    case 'found':
      return always(
        { then: 'done', deviceRunStateId: outcome.deviceRunStateId },
        { kind: 'recovered', inFull: true, delivered: true },
      );
    case 'absent':
      return always(afterAbsence(delivery, chance, policy), { kind: 'recovered', inFull: true, delivered: false });
    case 'inconclusive': {
      const at = now + Math.min(policy.backoff.capMs, policy.lookAfterMs * (inconclusiveInARow(delivery) + 1));
      return ageing(
        delivery,
        now,
        policy,
        { then: 'look', at },
        { kind: 'recovered', inFull: false, delivered: false },
      );
    }
    case 'conflict':
      return always({ then: 'look', at: now }, { kind: 'answered', missing: false });
    case 'throttled': {
      const { retryAfterMs } = outcome;
      return always({ then: 'everyone-waits', retryAfterMs }, { kind: 'throttle', retryAfterMs });
    }
    case 'delayed':
      return always({ then: 'at-once' }, { kind: 'nothing' });
    case 'unauthenticated':
    case 'forbidden':
    case 'route-not-served':
      return always(
        { then: 'hold', reason: outcome.kind },
        { kind: 'hold', ...cause(outcome, outcome.kind, operation), reached: true },
      );
    case 'credential-refused':
      return always({ then: 'hold', reason: outcome.kind }, { kind: 'hold', ...cause(outcome, outcome.kind, 'any') });
    case 'not-sent': {
      const reason = UNAVAILABLE[outcome.upstream];
      const again: Verdict = { then: 'again', at: nextAt(delivery, now, random, policy) };
      const tenant = count(cause(outcome, reason, 'any'), { countsAgain: true });
      return { ...ageing(delivery, now, policy, again, tenant), verdictWhileHeld: { then: 'hold', reason } };
    }
    case 'uncertain': {
      const tenant: TenantEffect = outcome.stoodStill
        ? { kind: 'nothing' }
        : count(cause(outcome, 'graph-unavailable', operation));
      const at =
        operation === 'look'
          ? nextAt(delivery, now, random, policy)
          : arrivedBy(outcome, delivery, now, policy) + policy.lookAfterMs;
      return ageing(delivery, now, policy, { then: 'look', at }, tenant);
    }
    case 'rejected':
      return {
        verdict: { then: 'dead', code: `graph-${outcome.status}` },
        verdictWhileHeld: { then: 'hold', reason: 'all-rejected' },
        tenant:
          operation === 'look' ? { kind: 'answered', missing: isMissing(outcome.status) } : countRejection(outcome),
      };
  }
}

/** The hold reason for each unreachable upstream. */
const UNAVAILABLE: Record<Upstream, HoldReason> = {
  graph: 'graph-unavailable',
  'token-endpoint': 'token-endpoint-unavailable',
};

/** Whether Graph says that there is no such configuration. */
const isMissing = (status: number): boolean => status === 404 || status === 410;

/** The same verdict, whether or not a hold explains the outcome. */
const always = (verdict: Verdict, tenant: TenantEffect): Decision => ({ verdict, verdictWhileHeld: verdict, tenant });

/** Turns the verdict into `dead` if the delivery has failed for too long; it does not age while it is held. */
function ageing(delivery: Delivery, now: number, policy: Policy, verdict: Verdict, tenant: TenantEffect): Decision {
  const isExpired = delivery.failingSince !== null && now - delivery.failingSince >= policy.maxAgeMs;
  if (!isExpired) return always(verdict, tenant);
  const code = delivery.uncertainty || verdict.then === 'look' ? EXPIRED_UNCERTAIN : EXPIRED;
  return { verdict: { then: 'dead', code }, verdictWhileHeld: verdict, tenant };
}

function afterAbsence(delivery: Delivery, { now, random }: Chance, policy: Policy): Verdict {
  const lookups = (delivery.uncertainty?.lookups ?? 0) + 1;
  if (lookups < LOOKUPS_UNTIL_ABSENT) return { then: 'look', at: now + policy.lookAfterMs * 2 ** lookups };
  return delivery.uncertainty?.conflict
    ? { then: 'dead', code: CONFLICT }
    : { then: 'create-again', at: now + backoffMs(failuresSoFar(delivery), random, policy.backoff) };
}

/** By when a create has reached Graph, if ever: after its worker disappeared it may be in flight until its timeout. */
function arrivedBy({ abandoned }: { abandoned?: true }, { intent }: Delivery, now: number, policy: Policy): number {
  if (!abandoned || !intent) return now;
  // An instant in the future was recorded before the clock stepped back.
  return Math.max(now, Math.min(intent.at, now) + policy.attemptTimeoutMs);
}

function cause({ detail }: Failure, reason: HoldReason, about: FailureCause['about']): FailureCause {
  const scope = about === 'any' ? 'tenant' : 'configuration';
  return { reason, about, detail, scope, alike: '', reached: false, missing: false };
}

function count(of: FailureCause, changes: Partial<FailureCount> = {}): TenantEffect {
  return { kind: 'count-failure', failuresUntilHold: FAILURES_UNTIL_HOLD, countsAgain: false, ...of, ...changes };
}

function countRejection(outcome: Extract<Failure, { kind: 'rejected' }>): TenantEffect {
  const { status, graph } = outcome;
  const rejection: FailureCause = {
    ...cause(outcome, 'all-rejected', 'create'),
    reached: true,
    alike: `${status} ${graph?.code ?? ''}`,
    missing: isMissing(status),
  };
  return count(rejection, { failuresUntilHold: REJECTIONS_UNTIL_HOLD });
}

/** A lookup that finds nothing does not reset this count: repeated lost creates must wait longer each time. */
function failuresSoFar({ attempts }: Delivery): number {
  return attempts.filter(({ outcome }) => outcome === 'not-sent' || outcome === 'uncertain').length;
}

/** Lookups since the last conclusive one: an endless listing is read ever more slowly. */
function inconclusiveInARow({ attempts }: Delivery): number {
  return attempts.length - 1 - attempts.findLastIndex(({ outcome }) => outcome !== 'inconclusive');
}

function nextAt(delivery: Delivery, now: number, random: number, policy: Policy): number {
  return now + backoffMs(failuresSoFar(delivery) + 1, random, policy.backoff);
}
