// What an outcome means for everyone: Graph's “not before”, and holds of the tenant or of one configuration that begin, go on or end.
import type { Delivery, Outcome } from '../../domain/delivery.ts';
import { keyOfHold, type Operation } from '../../domain/hold/hold.ts';
import type { TenantEvents } from './consumer-events.ts';
import type { Budget } from '../budget/budget.ts';
import type { Permit } from '../budget/budget.ts';

/** @returns whether a hold answers for the failure: then the delivery is kept and does not age */
export type Consequences = (delivery: Delivery, outcome: Outcome, permit: Permit) => Promise<boolean>;

/** That a configuration works is written down no more often than this. */
const WORKS_TOLD_EVERY_MS = 1000;

export function createConsequences(
  budget: Pick<Budget, 'judge' | 'throttle' | 'endBackoff'>,
  events: TenantEvents,
  clock: () => number,
  random: () => number,
): Consequences {
  const toldAt = new Map<string, number>();

  /** Success that changes nothing is the rule, and need not be judged each time. */
  function isNews(operation: Operation, hardwareConfigurationId: string, permit: Permit): boolean {
    const key = keyOfHold(operation, hardwareConfigurationId);
    const now = clock();
    const lately = Math.abs(now - (toldAt.get(key) ?? -Infinity)) < WORKS_TOLD_EVERY_MS;
    if (permit.probes.length === 0 && !permit.hadFailures && lately) return false;
    if (toldAt.size > 1000) toldAt.clear();
    toldAt.set(key, now);
    return true;
  }

  return async (delivery, outcome, permit) => {
    const { id, hardwareConfigurationId } = delivery;
    const operation: Operation = delivery.mark?.sends === 'look' ? 'look' : 'create';
    const worked = outcome.kind === 'created' || outcome.kind === 'found' || outcome.kind === 'absent';
    if (worked && !isNews(operation, hardwareConfigurationId, permit)) return false;
    if (worked && permit.hadFailures) await budget.endBackoff();
    if (outcome.kind === 'throttled') {
      const kind = operation === 'look' ? 'read' : 'write';
      events.throttled(await budget.throttle(kind, permit.probes.length > 0, outcome.retryAfterMs, random()));
    }
    const evidence = { outcome, operation, deliveryId: id, hardwareConfigurationId, probes: permit.probes };
    const { began, goOn, ended, kept } = await budget.judge(evidence);
    began.forEach(events.held);
    goOn.forEach(events.probeFailed);
    for (const hold of ended) events.released(hold, clock());
    return kept;
  };
}
