// When a delivery can be expected in Graph, from a look at the budget that is at most a second old: nobody waits for it.
import type { Delivery } from '../../domain/delivery.ts';
import { expectedCreateAt, type Prospect } from '../../domain/operations/forecast.ts';
import { holdOf, tenantHold, type Hold } from '../../domain/hold/hold.ts';
import type { Budget } from './budget.ts';

/** @param ahead how many are to be created before it; null where it is not in line */
export type Forecast = (delivery: Delivery, ahead: number | null) => number | null;

const LOOK_EVERY_MS = 1000;

/** @param writesPer20s what is configured: until the first look it is all there is to go by */
export function createForecast(budget: Pick<Budget, 'state'>, writesPer20s: number, clock: () => number): Forecast {
  let prospect: Prospect = { writesPer20s, throttledUntil: null, held: false };
  let holds: readonly Hold[] = [];
  let lookedAt = -Infinity;

  function lookAgain(now: number): void {
    if (Math.abs(now - lookedAt) < LOOK_EVERY_MS) return;
    lookedAt = now;
    budget.state().then(
      (state) => {
        const { throttle } = state;
        holds = state.holds;
        const held = tenantHold(holds) !== null;
        prospect = { writesPer20s: state.writesPer20s, throttledUntil: throttle?.until ?? null, held };
      },
      () => undefined,
    );
  }

  return ({ status, dueAt, hardwareConfigurationId }, ahead) => {
    const now = clock();
    lookAgain(now);
    if (holdOf(holds, 'create', hardwareConfigurationId)) return null;
    if (status === 'queued') return expectedCreateAt(ahead ?? 0, prospect, now);
    return status === 'waiting' || status === 'delivering' ? expectedCreateAt(0, prospect, Math.max(now, dueAt)) : null;
  };
}
