// Decides one outcome and applies it to a delivery, as a worker does; and the operation an attempt requested.
import { conclude as carryOut } from '../../src/domain/attempt/conclusion.ts';
import { decide, type Verdict } from '../../src/domain/attempt/decide.ts';
import type { Policy } from '../../src/domain/attempt/retry-policy.ts';
import { begin, createDelivery, type Delivery, type Outcome } from '../../src/domain/delivery.ts';
import type { Operation } from '../../src/domain/hold/hold.ts';
import type { TenantEffect } from '../../src/domain/hold/tenant-effect.ts';

/** `held`: whether a hold explains the failure. */
export type Circumstances = { now: number; random: number; held: boolean };

type EndedAttempt = { outcome: Outcome; delivery: Delivery; circumstances: Circumstances; policy: Policy };

export function verdictOf({ outcome, delivery, circumstances, policy }: EndedAttempt): Verdict {
  const { verdict, verdictWhileHeld } = decide({ outcome, delivery, chance: circumstances, policy });
  return circumstances.held ? verdictWhileHeld : verdict;
}

export function conclude({ delivery, outcome, circumstances, policy }: EndedAttempt): {
  delivery: Delivery;
  verdict: Verdict;
} {
  const verdict = verdictOf({ outcome, delivery, circumstances, policy });
  return { delivery: carryOut({ delivery, outcome, verdict, now: circumstances.now }), verdict };
}

const POLICY: Policy = { maxAgeMs: 1e9, lookAfterMs: 1, attemptTimeoutMs: 1, backoff: { baseMs: 1, capMs: 1 } };

/** The effect of an outcome on the tenant, whichever delivery it belongs to. */
export function effectOf(outcome: Outcome, operation: Operation): TenantEffect {
  const accepted = createDelivery({
    tenantId: 't',
    run: { runId: 'r', deviceId: 'd', hardwareConfigurationId: 'h' },
    now: 0,
  });
  const uncertainty = operation === 'look' ? { since: 0, lookups: 0 } : null;
  return decide({
    outcome,
    delivery: begin({ ...accepted, uncertainty }, 0),
    chance: { now: 0, random: 0 },
    policy: POLICY,
  }).tenant;
}
