// Applies an outcome's effect on the whole tenant: throttling, and holds that begin, continue or end.
import type { Decision } from '../../domain/attempt/decide.ts';
import type { Delivery } from '../../domain/delivery.ts';
import { keyOfHold, type Operation } from '../../domain/hold/hold.ts';
import type { TenantEvents } from './consumer-events.ts';
import type { Budget } from '../budget/budget.ts';
import type { Permit } from '../budget/budget.ts';
import type { Persist } from './persist.ts';

/** @returns whether a hold explains the failure: then the delivery is kept and does not age */
export type ApplyTenantEffect = (attempt: {
  delivery: Delivery;
  effect: Decision['tenant'];
  permit: Permit;
  persist: Persist;
}) => Promise<boolean>;

/** Success of a configuration is recorded at most this often. */
const RECORDED_EVERY_MS = 1000;

type TenantEffectParts = {
  budget: Pick<Budget, 'judge' | 'throttle' | 'endBackoff'>;
  events: TenantEvents;
  clock: () => number;
  random: () => number;
};

export function createTenantEffects({ budget, events, clock, random }: TenantEffectParts): ApplyTenantEffect {
  const recordedAt = new Map<string, number>();

  /** Success is the normal case; if it changes nothing, it is not recorded every time. */
  function isNews(operation: Operation, hardwareConfigurationId: string, permit: Permit): boolean {
    const key = keyOfHold(operation, hardwareConfigurationId);
    const now = clock();
    const isRecent = Math.abs(now - (recordedAt.get(key) ?? -Infinity)) < RECORDED_EVERY_MS;
    if (permit.probes.length === 0 && !permit.hadFailures && isRecent) return false;
    if (recordedAt.size > 1000) recordedAt.clear();
    recordedAt.set(key, now);
    return true;
  }

  return async ({ delivery, effect, permit, persist }) => {
    const { id, hardwareConfigurationId } = delivery;
    const operation: Operation = delivery.intent?.sends === 'look' ? 'look' : 'create';
    if (effect.kind === 'recovered' && effect.inFull) {
      if (!isNews(operation, hardwareConfigurationId, permit)) return false;
      if (permit.hadFailures) await persist(budget.endBackoff);
    }
    if (effect.kind === 'throttle') {
      const kind = operation === 'look' ? 'read' : 'write';
      const isProbe = permit.probes.length > 0;
      events.throttled(
        await persist(() => budget.throttle({ kind, isProbe, retryAfterMs: effect.retryAfterMs, random: random() })),
      );
    }
    const evidence = { effect, operation, deliveryId: id, hardwareConfigurationId, probes: permit.probes };
    const { began, goOn, ended, kept } = await persist(() => budget.judge(evidence));
    began.forEach(events.held);
    goOn.forEach(events.probeFailed);
    for (const hold of ended) events.released(hold, clock());
    return kept;
  };
}
