// Processes one delivery: permit, announcement, attempt, decision → ended, put off, or parked.
import { isFailure, LOST_WORKER } from '../../domain/attempt/conclusion.ts';
import { begin, isReplaceable, isTerminal, nextStep, wasAbandoned, withdraw } from '../../domain/delivery.ts';
import type { Delivery, Outcome } from '../../domain/delivery.ts';
import type { RunResult } from '../../domain/submission/run-result.ts';
import type { HoldKey } from '../../domain/hold/hold.ts';
import type { Budget } from '../budget/budget.ts';
import type { AttemptPermit, PermitQueue } from '../budget/permit-queue.ts';
import type { Stored } from '../store/record.ts';
import { createPersist, type Persist } from './persist.ts';
import { createSettle, type SettleParts } from './settle.ts';
import type { ApplyTenantEffect } from './tenant-effect.ts';

/** Makes one attempt. Never throws for failures of Graph or the network. An aborted lookup throws the signal's reason. */
export type Deliver = (delivery: Delivery, run: RunResult, signal: AbortSignal) => Promise<Outcome>;

export type ProcessingParts = SettleParts & {
  permits: PermitQueue;
  deliver: Deliver;
  applyTenantEffect: ApplyTenantEffect;
  giveBack: Budget['giveBack'];
  /** A permit was used, so the next delivery of the waiting list can be promoted. */
  onPermit: () => void;
  /** Redis refused to store the result of an attempt; storing it is retried. */
  onRefused: (error: Error) => void;
};

/** `stop` ends anything that only waits; `lockLost` also aborts a create. */
export type Signals = { stop: AbortSignal; lockLost: AbortSignal };

/** Why an open delivery gives up its job: it is put off and gets another job when it is due, or it must be parked. */
export type Leaving = 'put-off' | { heldBy: HoldKey };

/** Works on a delivery until it has ended (null) or must give up its job. */
export type ProcessDelivery = (id: string, signals: Signals) => Promise<Leaving | null>;

export function createDeliveryProcessor(parts: ProcessingParts): ProcessDelivery {
  const { deliveries, permits, events, clock } = parts;
  const { decideNow, settle } = createSettle(parts);

  return async (id, signals) => {
    const signal = AbortSignal.any([signals.stop, signals.lockLost]);
    const persist = createPersist({ lockLost: signals.lockLost, onRefused: parts.onRefused });
    for (;;) {
      const stored = await deliveries.load(id);
      if (!stored) await deliveries.forget(id);
      if (!stored || isTerminal(stored.delivery.status)) return null;
      if (wasAbandoned(stored.delivery)) {
        events.stalled(id);
        const decision = decideNow(LOST_WORKER, stored.delivery);
        await settle(stored, { outcome: LOST_WORKER, decision, held: false, startedAt: clock() }, persist);
        continue;
      }
      if (await isSuperseded(stored)) continue;
      const waitMs = stored.delivery.status === 'waiting' ? await deliveries.waitMs(id) : 0;
      if (waitMs > 0) return 'put-off';
      const kind = nextStep(stored.delivery) === 'create' ? 'write' : 'read';
      const permit = await permits.acquire(kind, stored.delivery, signal);
      parts.onPermit();
      if (!permit.granted) return { heldBy: permit.heldBy };
      let isJudged = false;
      try {
        isJudged = await attempt(stored, permit, { signal, lockLost: signals.lockLost, persist });
      } finally {
        permit.release();
        if (!isJudged && permit.probes.length > 0) await parts.giveBack(id).catch(() => undefined);
      }
    }
  };

  async function isSuperseded({ delivery, run }: Stored): Promise<boolean> {
    if (!run || !isReplaceable(delivery)) return false;
    const newer = await deliveries.findNewer(delivery, run);
    return newer !== null && (await deliveries.replace(delivery.id, newer, clock())) === 'saved';
  }

  /** @returns whether the outcome says something about Graph or the connection to it */
  async function attempt(
    stored: Stored,
    permit: AttemptPermit,
    { signal, lockLost, persist }: Leash,
  ): Promise<boolean> {
    const startedAt = clock();
    const announced = await deliveries.save(stored, begin(stored.delivery, startedAt), { now: startedAt });
    if (announced.kind !== 'saved') return false;
    const { delivery, run } = announced.stored;
    const takeBack = () => persist(() => deliveries.save(announced.stored, withdraw(delivery), { now: clock() }));
    if (signal.aborted || !run) {
      await takeBack();
      signal.throwIfAborted();
      throw new Error('an open delivery has no run result');
    }
    // A failover must not lose the announcement: another worker would not know that something was sent.
    await deliveries.replicated(announced).catch(async (error: unknown) => {
      await takeBack();
      throw error;
    });
    // Stopping lets a create finish, only a lost lock aborts it; a lookup writes nothing and may be aborted.
    const interruptible = delivery.intent?.sends === 'look' ? signal : lockLost;
    const outcome = await parts.deliver(delivery, run, interruptible).catch(async (error: unknown) => {
      if (interruptible.aborted) await takeBack();
      throw error;
    });
    const decision = decideNow(outcome, delivery);
    // A create aborted by ourselves says nothing about Graph.
    const isOurs = interruptible.aborted && isFailure(outcome) && outcome.graph === null;
    const applyToTenant = () =>
      isOurs ? Promise.resolve(false) : parts.applyTenantEffect({ delivery, effect: decision.tenant, permit, persist });
    const settleAs = (held: boolean) => settle(announced.stored, { outcome, decision, held, startedAt }, persist);
    // Only a failure can be explained by a hold; success is stored without waiting.
    if (isFailure(outcome)) await settleAs(await applyToTenant());
    else await bothEnded(applyToTenant(), settleAs(false));
    return !isOurs;
  }
}

/** What bounds an attempt. */
type Leash = { signal: AbortSignal; lockLost: AbortSignal; persist: Persist };

/** Unlike Promise.all, waits for both even if one fails: the job must not end while its outcome is being stored. */
async function bothEnded(...parts: Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(parts)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}
