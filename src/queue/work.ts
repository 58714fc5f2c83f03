// The work on one delivery: a turn, a mark, a try, and its verdict → done, later, hold everyone.
import { setTimeout as delay } from 'node:timers/promises';
import { conclude, isFailure, LOST_WORKER, recordTaken } from '../domain/conclusion.ts';
import { begin, isReplaceable, isTerminal, nextStep, wasAbandoned, withdraw } from '../domain/delivery.ts';
import type { Delivery, Outcome } from '../domain/delivery.ts';
import { withNote } from '../domain/note.ts';
import { isReplaced } from '../domain/replacement.ts';
import type { Circumstances, Policy, Verdict } from '../domain/retry.ts';
import type { RunResult } from '../domain/run-result.ts';
import type { Events } from '../events.ts';
import type { Deliveries } from './deliveries.ts';
import type { Consequences } from './consequences.ts';
import type { Facts } from './facts.ts';
import type { Going, Pacer } from './pacer.ts';
import type { Stored } from './record.ts';
import type { Saved } from './records.ts';

/** One attempt, whatever it does: never throws for what Graph or the network do. A look that is cut throws the signal's reason. */
export type Deliver = (delivery: Delivery, run: RunResult, signal: AbortSignal) => Promise<Outcome>;

export type WorkParts = {
  deliveries: Deliveries;
  facts: Facts;
  pacer: Pacer;
  deliver: Deliver;
  consequences: Consequences;
  events: Events;
  policy: Policy;
  /** A slot of the budget was used: there is room for the next in line. */
  onTurn: () => void;
  clock: () => number;
  random: () => number;
};

/** `stop` ends what only waits; `lockLost` also cuts a create short. */
export type Signals = { stop: AbortSignal; lockLost: AbortSignal };

/** One that is put off comes back up to a second late; so short a wait is not worth giving it away. */
const WAIT_IN_HAND_MS = 1000;

/** Works on a delivery until it ended or is put off: then it has another job when its time comes. */
export type Work = (id: string, signals: Signals) => Promise<void>;

export function createWork(parts: WorkParts): Work {
  const { deliveries, facts, pacer, events, policy, clock } = parts;

  async function work(id: string, signals: Signals): Promise<void> {
    const signal = AbortSignal.any([signals.stop, signals.lockLost]);
    for (;;) {
      const stored = await deliveries.load(id);
      if (!stored) await deliveries.forget(id);
      if (!stored || isTerminal(stored.delivery.status)) return;
      if (wasAbandoned(stored.delivery)) {
        events.stalled(id);
        await settle(stored, LOST_WORKER, { probing: false, startedAt: clock() });
        continue;
      }
      if (await isSuperseded(stored)) continue;
      const waitMs = stored.delivery.status === 'waiting' ? await deliveries.waitMs(id) : 0;
      if (waitMs > WAIT_IN_HAND_MS) return;
      if (waitMs > 0) {
        await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
        continue;
      }
      const going = await pacer.turn(nextStep(stored.delivery) === 'create' ? 'write' : 'read', signal);
      parts.onTurn();
      await attempt(stored, going, signals, signal);
    }
  }

  async function isSuperseded({ delivery, run }: Stored): Promise<boolean> {
    if (!run || !isReplaceable(delivery)) return false;
    const newer = await deliveries.findNewer(delivery, run);
    return newer !== null && (await deliveries.replace(delivery.id, newer, clock())) === 'saved';
  }

  async function attempt(stored: Stored, going: Going, { lockLost }: Signals, signal: AbortSignal): Promise<void> {
    const startedAt = clock();
    const marked = await deliveries.save(stored, begin(stored.delivery, startedAt), startedAt);
    if (marked.kind !== 'saved') return;
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
    await Promise.all([
      parts.consequences(delivery, outcome, going),
      settle(marked.stored, outcome, { probing: going.probe !== null, startedAt }),
    ]);
  }

  /** Stores what an outcome makes of a delivery. Somebody else's change meanwhile only matters where Graph has the record. */
  async function settle(
    stored: Stored,
    outcome: Outcome,
    { probing, startedAt }: { probing: boolean; startedAt: number },
  ): Promise<void> {
    const circumstances: Circumstances = { now: clock(), random: parts.random(), probing };
    const { delivery, verdict } = conclude(stored.delivery, outcome, circumstances, policy);
    let saved = await deliveries.save(stored, delivery, circumstances.now);
    if (saved.kind === 'claimed' && (outcome.kind === 'created' || outcome.kind === 'found')) {
      saved = await replaceOwner(stored, delivery, outcome, circumstances.now);
    }
    if (saved.kind === 'stale' && !isFailure(outcome) && outcome.kind !== 'absent') {
      const newer = await deliveries.load(delivery.id);
      if (newer && !isTerminal(newer.delivery.status)) return settle(newer, outcome, { probing, startedAt });
      if (newer && newer.delivery.deviceRunStateId !== outcome.deviceRunStateId)
        events.deliveredTwice(newer.delivery, outcome.deviceRunStateId);
      return;
    }
    if (saved.kind === 'claimed' && (outcome.kind === 'created' || outcome.kind === 'found')) {
      const { graph, kind } = outcome;
      return settle(stored, kind === 'created' ? recordTaken(graph) : { kind: 'absent', graph }, {
        probing,
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
    if (owner && !isReplaced(owner.delivery, outcome, stored.delivery, oneRowPerDevice !== null))
      return { kind: 'claimed' };
    if (owner) {
      // Said first: at no time do two deliveries believe that the record is theirs.
      const note = { code: 'record-replaced', at: now, by: delivery.id } as const;
      const noted = await deliveries.save(owner, withNote(owner.delivery, note), now);
      if (noted.kind === 'stale') return { kind: 'claimed' };
      if (outcome.kind === 'created') await facts.note('oneRowPerDevice', now);
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
