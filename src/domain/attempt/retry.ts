// What follows from an outcome: outcome + delivery + now → done · again when · look first · everyone waits · hold · give up.
import type { Delivery, Outcome } from '../delivery.ts';
import type { Upstream } from './failure.ts';
import type { HoldReason } from '../hold/hold.ts';

export type Verdict =
  | { then: 'done'; deviceRunStateId: string }
  | { then: 'again'; at: number }
  /** Nothing was tried: it is as if its turn were still to come. */
  | { then: 'at-once' }
  | { then: 'look'; at: number }
  | { then: 'create-again'; at: number }
  | { then: 'everyone-waits'; retryAfterMs: number | null }
  | { then: 'hold'; reason: HoldReason }
  | { then: 'dead'; code: string };

export type Policy = {
  /** After this much failing time of its own a delivery is dead. */
  maxAgeMs: number;
  /** From an uncertain create to the first look; each later look waits twice as long. */
  lookAfterMs: number;
  /** How long a request may be on its way. */
  attemptTimeoutMs: number;
  backoff: Backoff;
};

/** What a decision depends on beside the delivery: milliseconds since 1970, 0 ≤ random < 1, and whether a hold answers for the failure. */
export type Circumstances = { now: number; random: number; held: boolean };

export type Backoff = { baseMs: number; capMs: number };

/** So many looks in vain, each later than the one before, and a record is surely not there. */
export const LOOKS_UNTIL_ABSENT = 3;

/** The code of one Graph said collides with a record, where none agrees with it. */
const CONFLICT = 'graph-409';
/** A code a dead letter may carry beside `graph-<status>`. */
const EXPIRED = 'expired';
const EXPIRED_UNCERTAIN = 'expired-uncertain';

/**
 * Exponential backoff with full jitter: anywhere from nothing to `base × 2^(failures − 1)`, capped.
 * @param failures how often it failed, from 1
 * @param random 0 ≤ x < 1
 */
export function backoffMs(failures: number, random: number, { baseMs, capMs }: Backoff): number {
  return Math.round(random * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30)));
}

/** Nothing is put off for longer: the last look, after a create that may have been on its way for as long as it could. */
export function longestWaitMs({ lookAfterMs, attemptTimeoutMs, backoff }: Policy): number {
  return Math.max(backoff.capMs, attemptTimeoutMs + lookAfterMs * 2 ** (LOOKS_UNTIL_ABSENT - 1));
}

/** Which hold an upstream that cannot be reached is a reason for. */
export const unavailable = (upstream: Upstream): HoldReason =>
  upstream === 'graph' ? 'graph-unavailable' : 'token-endpoint-unavailable';

/** Decides what follows. Pure: no clock, no dice; every kind of outcome has its line. */
export function decide(outcome: Outcome, delivery: Delivery, circumstances: Circumstances, policy: Policy): Verdict {
  const { now, random, held } = circumstances;
  switch (outcome.kind) {
    case 'created':
    case 'found':
      return { then: 'done', deviceRunStateId: outcome.deviceRunStateId };
    case 'absent': {
      const looks = (delivery.uncertainty?.looks ?? 0) + 1;
      if (looks < LOOKS_UNTIL_ABSENT) return { then: 'look', at: now + policy.lookAfterMs * 2 ** looks };
      return delivery.uncertainty?.conflict
        ? { then: 'dead', code: CONFLICT }
        : { then: 'create-again', at: now + backoffMs(failuresSoFar(delivery), random, policy.backoff) };
    }
    case 'throttled':
      return { then: 'everyone-waits', retryAfterMs: outcome.retryAfterMs };
    case 'unauthenticated':
    case 'credential-refused':
    case 'forbidden':
    case 'route-not-served':
      return { then: 'hold', reason: outcome.kind };
    case 'not-sent':
      if (held) return { then: 'hold', reason: unavailable(outcome.upstream) };
      return unlessExpired(delivery, now, policy, { then: 'again', at: nextAt(delivery, now, random, policy) });
    case 'delayed':
      return { then: 'at-once' };
    case 'uncertain': {
      const looking = delivery.mark?.sends === 'look';
      // A mark from the future was made before the clock stepped back.
      const sentBy = outcome.abandoned && delivery.mark ? Math.min(delivery.mark.at, now) : null;
      const arrivedBy = sentBy === null ? now : sentBy + policy.attemptTimeoutMs;
      const at = looking ? nextAt(delivery, now, random, policy) : Math.max(now, arrivedBy) + policy.lookAfterMs;
      // While a hold answers for it, a failure is not the delivery's own.
      return held ? { then: 'look', at } : unlessExpired(delivery, now, policy, { then: 'look', at });
    }
    case 'inconclusive': {
      const at = now + Math.min(policy.backoff.capMs, policy.lookAfterMs * (inconclusiveInARow(delivery) + 1));
      return held ? { then: 'look', at } : unlessExpired(delivery, now, policy, { then: 'look', at });
    }
    case 'conflict':
      return { then: 'look', at: now };
    case 'rejected':
      return held ? { then: 'hold', reason: 'all-rejected' } : { then: 'dead', code: `graph-${outcome.status}` };
  }
}

/** How often it failed. A look in vain is no success: a create that is lost again and again must wait longer each time. */
function failuresSoFar({ attempts }: Delivery): number {
  return attempts.filter(({ outcome }) => outcome === 'not-sent' || outcome === 'uncertain').length;
}

/** Lookups since one came to a result: a listing without an end is read ever more slowly. */
function inconclusiveInARow({ attempts }: Delivery): number {
  return attempts.length - 1 - attempts.findLastIndex(({ outcome }) => outcome !== 'inconclusive');
}

function nextAt(delivery: Delivery, now: number, random: number, policy: Policy): number {
  return now + backoffMs(failuresSoFar(delivery) + 1, random, policy.backoff);
}

function unlessExpired(delivery: Delivery, now: number, policy: Policy, verdict: Verdict): Verdict {
  const expired = delivery.failingSince !== null && now - delivery.failingSince >= policy.maxAgeMs;
  if (!expired) return verdict;
  return { then: 'dead', code: delivery.uncertainty || verdict.then === 'look' ? EXPIRED_UNCERTAIN : EXPIRED };
}
