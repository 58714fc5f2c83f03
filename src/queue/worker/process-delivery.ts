// The work on one delivery: a turn, a mark, a try, and its verdict → ended, put off, or parked.
import { conclude, isFailure, LOST_WORKER, recordTaken } from '../../domain/attempt/conclusion.ts';
import { begin, isReplaceable, isTerminal, nextStep, wasAbandoned, withdraw } from '../../domain/delivery.ts';
import type { Delivery, Outcome } from '../../domain/delivery.ts';
import { withNote } from '../../domain/attempt/note.ts';
import { isReplaced } from '../../domain/attempt/replacement.ts';
import type { Circumstances, Policy, Verdict } from '../../domain/attempt/retry.ts';
import type { RunResult } from '../../domain/submission/run-result.ts';
import type { DeliveryEvents } from './consumer-events.ts';
import type { HoldKey } from '../../domain/hold/hold.ts';
import type { Budget } from '../budget/budget.ts';
import type { Deliveries } from '../store/deliveries.ts';
import type { Consequences } from './tenant-effect.ts';
import type { Facts } from '../budget/facts.ts';
import type { Permit } from '../budget/budget.ts';
import type { PermitQueue } from '../budget/permit-queue.ts';
import type { Stored } from '../store/record.ts';
import type { Saved } from '../store/records.ts';

/** One attempt, whatever it does: never throws for what Graph or the network do. A look that is cut throws the signal's reason. */
export type Deliver = (delivery: Delivery, run: RunResult, signal: AbortSignal) => Promise<Outcome>;

export type WorkParts = {
  deliveries: Deliveries;
  facts: Facts;
  permits: PermitQueue;
  deliver: Deliver;
  consequences: Consequences;
  giveBack: Budget['giveBack'];
  events: DeliveryEvents;
  policy: Policy;
  /** A slot of the budget was used: there is room for the next in line. */
  onPermit: () => void;
  clock: () => number;
  random: () => number;
};

/** `stop` ends what only waits; `lockLost` also cuts a create short. */
export type Signals = { stop: AbortSignal; lockLost: AbortSignal };

/** Why a delivery that has not ended gives its job up: it is put off and gets another when its time comes, or is to be parked. */
export type Leaving = 'put-off' | { heldBy: HoldKey };

/** Works on a delivery until it ended (null), or is to make room. */
export type Work = (id: string, signals: Signals) => Promise<Leaving | null>;

export function createWork(parts: WorkParts): Work {
  const { deliveries, facts, permits, events, policy, clock } = parts;

  async function work(id: string, signals: Signals): Promise<Leaving | null> {
    const signal = AbortSignal.any([signals.stop, signals.lockLost]);
    for (;;) {
      const stored = await deliveries.load(id);
      if (!stored) await deliveries.forget(id);
      if (!stored || isTerminal(stored.delivery.status)) return null;
      if (wasAbandoned(stored.delivery)) {
        events.stalled(id);
        await settle(stored, LOST_WORKER, { held: false, startedAt: clock() });
        continue;
      }
      if (await isSuperseded(stored)) continue;
      const waitMs = stored.delivery.status === 'waiting' ? await deliveries.waitMs(id) : 0;
      if (waitMs > 0) return 'put-off';
      const permit = await permits.acquire(
        nextStep(stored.delivery) === 'create' ? 'write' : 'read',
        stored.delivery,
        signal,
      );
      parts.onPermit();
      if (!permit.granted) return { heldBy: permit.heldBy };
      let isJudged = false;
      try {
        isJudged = await attempt(stored, permit, signals, signal);
      } finally {
        if (!isJudged && permit.probes.length > 0) await parts.giveBack(id).catch(() => undefined);
      }
    }
  }

  async function isSuperseded({ delivery, run }: Stored): Promise<boolean> {
    if (!run || !isReplaceable(delivery)) return false;
    const newer = await deliveries.findNewer(delivery, run);
    return newer !== null && (await deliveries.replace(delivery.id, newer, clock())) === 'saved';
  }

  /** @returns whether it came to an outcome that says something of the way to Graph */
  async function attempt(stored: Stored, permit: Permit, { lockLost }: Signals, signal: AbortSignal): Promise<boolean> {
    const startedAt = clock();
    const marked = await deliveries.save(stored, begin(stored.delivery, startedAt), startedAt);
    if (marked.kind !== 'saved') return false;
    const { delivery, run } = marked.stored;
    if (signal.aborted || !run) {
      await deliveries.save(marked.stored, withdraw(delivery), clock());
      signal.throwIfAborted();
      throw new Error('an open delivery has no run result');
    }
    // Stopping lets a create in hand finish, only a lost lock cuts it short; a look writes nothing and may be cut.
    const interruptible = delivery.mark?.sends === 'look' ? signal : lockLost;
    const outcome = await parts.deliver(delivery, run, interruptible).catch(async (error: unknown) => {
      if (interruptible.aborted) await deliveries.save(marked.stored, withdraw(delivery), clock());
      throw error;
    });
    // A create that was cut short here says nothing of Graph.
    const isOurs = interruptible.aborted && isFailure(outcome) && outcome.graph === null;
    const consequences = isOurs ? Promise.resolve(false) : parts.consequences(delivery, outcome, permit);
    if (isFailure(outcome)) await settle(marked.stored, outcome, { held: await consequences, startedAt });
    else await Promise.all([consequences, settle(marked.stored, outcome, { held: false, startedAt })]);
    return !isOurs;
  }

  /** Stores what an outcome makes of a delivery. Somebody else's change meanwhile only matters where Graph has the record. */
  async function settle(
    stored: Stored,
    outcome: Outcome,
    { held, startedAt }: { held: boolean; startedAt: number },
  ): Promise<void> {
    const circumstances: Circumstances = { now: clock(), random: parts.random(), held };
    const { delivery, verdict } = conclude(stored.delivery, outcome, circumstances, policy);
    let saved = await deliveries.save(stored, delivery, circumstances.now);
    if (saved.kind === 'claimed' && (outcome.kind === 'created' || outcome.kind === 'found')) {
      saved = await replaceOwner(stored, delivery, outcome, circumstances.now);
    }
    if (saved.kind === 'stale' && !isFailure(outcome) && outcome.kind !== 'absent') {
      const newer = await deliveries.load(delivery.id);
      if (newer && !isTerminal(newer.delivery.status)) return settle(newer, outcome, { held, startedAt });
      if (newer && newer.delivery.deviceRunStateId !== outcome.deviceRunStateId)
        events.deliveredTwice(newer.delivery, outcome.deviceRunStateId);
      return;
    }
    if (saved.kind === 'claimed' && (outcome.kind === 'created' || outcome.kind === 'found')) {
      const { graph, kind } = outcome;
      return settle(stored, kind === 'created' ? recordTaken(graph) : { kind: 'absent', graph }, {
        held,
        startedAt,
      });
    }
    if (saved.kind !== 'saved') return;
    events.attempt({ delivery, outcome, verdict, durationMs: Math.max(0, circumstances.now - startedAt) });
    tellEnd(delivery, verdict);
  }

  /** The record belongs to another delivery: where Graph replaced that one's, it says so and this one has it. */
  async function replaceOwner(
    stored: Stored,
    delivery: Delivery,
    outcome: Extract<Outcome, { kind: 'created' | 'found' }>,
    now: number,
  ): Promise<Saved> {
    const ownerId = (await deliveries.findOwner(outcome.deviceRunStateId)) ?? '';
    const owner = await deliveries.load(ownerId);
    const { oneRowPerDevice } = await facts.read();
    if (owner && !isReplaced(owner.delivery, outcome, stored.delivery, oneRowPerDevice?.holds === true))
      return { kind: 'claimed' };
    if (owner) {
      // Said first: at no time do two deliveries believe that the record is theirs.
      const note = { code: 'record-replaced', at: now, by: delivery.id } as const;
      const noted = await deliveries.save(owner, withNote(owner.delivery, note), now);
      if (noted.kind === 'stale') return { kind: 'claimed' };
      if (outcome.kind === 'created') await facts.note('oneRowPerDevice', { holds: true, at: now });
      events.recordReplaced(owner.delivery, delivery);
    }
    return deliveries.save(stored, delivery, now, ownerId);
  }

  function tellEnd(delivery: Delivery, verdict: Verdict): void {
    if (verdict.then === 'done') events.delivered(delivery);
    if (verdict.then === 'dead') events.dead(delivery);
  }

  return work;
}
