// Stores the result of an attempt, and settles which delivery owns a record in Graph.
import { conclude, isFailure, recordTaken } from '../../domain/attempt/conclusion.ts';
import { decide, type Decision } from '../../domain/attempt/decide.ts';
import { withNote } from '../../domain/attempt/note.ts';
import { isReplaced } from '../../domain/attempt/replacement.ts';
import type { Policy } from '../../domain/attempt/retry-policy.ts';
import { isTerminal, type Delivery, type Outcome } from '../../domain/delivery.ts';
import type { StoredGraphFacts } from '../budget/stored-graph-facts.ts';
import type { Owner } from '../store/claims.ts';
import type { Deliveries } from '../store/deliveries.ts';
import type { Stored } from '../store/record.ts';
import type { Saved } from '../store/records.ts';
import type { DeliveryEvents } from './consumer-events.ts';
import type { Persist } from './persist.ts';

/** A finished attempt and the decision on it. */
export type Ended = {
  outcome: Outcome;
  decision: Decision;
  /** Whether a hold explains the failure. */
  held: boolean;
  startedAt: number;
};

export type SettleParts = {
  deliveries: Deliveries;
  facts: StoredGraphFacts;
  events: DeliveryEvents;
  policy: Policy;
  clock: () => number;
  random: () => number;
};

type Claim = {
  stored: Stored;
  delivery: Delivery;
  outcome: Extract<Outcome, { kind: 'created' | 'found' }>;
  now: number;
  persist: Persist;
};

export function createSettle({ deliveries, facts, events, policy, clock, random }: SettleParts) {
  const decideNow = (outcome: Outcome, delivery: Delivery): Decision =>
    decide({ outcome, delivery, chance: { now: clock(), random: random() }, policy });

  /** A concurrent change by another worker only matters if Graph has the record. */
  async function settle(stored: Stored, ended: Ended, persist: Persist): Promise<void> {
    const { outcome, decision, held, startedAt } = ended;
    const now = clock();
    const verdict = held ? decision.verdictWhileHeld : decision.verdict;
    const delivery = conclude({ delivery: stored.delivery, outcome, verdict, now });
    let saved = await persist(() => deliveries.save(stored, delivery, { now }));
    if (saved.kind === 'claimed' && (outcome.kind === 'created' || outcome.kind === 'found')) {
      saved = await replaceOwner({ stored, delivery, outcome, now, persist });
    }
    if (saved.kind === 'stale' && !isFailure(outcome) && outcome.kind !== 'absent') {
      const newer = await deliveries.load(delivery.id);
      if (newer && !isTerminal(newer.delivery.status)) {
        return settle(newer, { ...ended, decision: decideNow(outcome, newer.delivery) }, persist);
      }
      if (newer && newer.delivery.deviceRunStateId !== outcome.deviceRunStateId)
        events.deliveredTwice(newer.delivery, outcome.deviceRunStateId);
      return;
    }
    if (saved.kind === 'claimed' && (outcome.kind === 'created' || outcome.kind === 'found')) {
      const { graph, kind } = outcome;
      const instead: Outcome = kind === 'created' ? recordTaken(graph) : { kind: 'absent', graph };
      return settle(stored, { ...ended, outcome: instead, decision: decideNow(instead, stored.delivery) }, persist);
    }
    if (saved.kind !== 'saved') return;
    events.attempt({ delivery, outcome, verdict, durationMs: Math.max(0, now - startedAt) });
    if (verdict.then === 'done') events.delivered(delivery);
    if (verdict.then === 'dead') events.dead(delivery);
  }

  /** The record belongs to another delivery. If Graph replaced it, that delivery gets a note and this one the record. */
  async function replaceOwner({ stored, delivery, outcome, now, persist }: Claim): Promise<Saved> {
    const { owner, whole } = await readOwner(outcome.deviceRunStateId);
    const known = whole?.delivery ?? (owner && toKnown(owner));
    const { oneRowPerDevice } = await facts.read();
    if (
      known &&
      !isReplaced({
        owner: known,
        outcome,
        delivery: stored.delivery,
        oneRowPerDevice: oneRowPerDevice?.holds === true,
      })
    )
      return { kind: 'claimed' };
    if (whole) {
      // The note comes first, so that two deliveries never claim the same record at once.
      const note = { code: 'record-replaced', at: now, by: delivery.id } as const;
      const noted = await persist(() => deliveries.save(whole, withNote(whole.delivery, note), { now }));
      if (noted.kind === 'stale') return { kind: 'claimed' };
    }
    if (known && outcome.kind === 'created')
      await persist(() => facts.note('oneRowPerDevice', { holds: true, at: now }));
    if (whole) events.recordReplaced(whole.delivery, delivery);
    return persist(() => deliveries.save(stored, delivery, { now, takeFrom: owner?.token ?? '' }));
  }

  /** What owns a record in Graph, with its delivery while all of that is kept. */
  async function readOwner(deviceRunStateId: string): Promise<{ owner: Owner | null; whole: Stored | null }> {
    const owner = await deliveries.findOwner(deviceRunStateId);
    if (owner?.kind !== 'delivery') return { owner, whole: null };
    const whole = await deliveries.load(owner.id);
    // Its details may have been dropped between the two.
    return { owner: whole ? owner : await deliveries.findOwner(deviceRunStateId), whole };
  }

  return { decideNow, settle };
}

/** What is known of an owner whose details are dropped; null of one that is gone altogether. */
function toKnown(owner: Owner) {
  if (owner.kind === 'delivery') return null;
  return { deliveredAt: owner.deliveredAt, attempts: owner.isCreator ? [{ outcome: 'created' as const }] : [] };
}
