// Estimates when a delivery will be in Graph, from a budget reading up to about a second old, so that callers never wait.
import type { Delivery } from '../../domain/delivery.ts';
import { expectedCreateAt } from '../../domain/operations/forecast.ts';
import { holdOf } from '../../domain/hold/hold.ts';
import type { Budget, BudgetState } from './budget.ts';

/** @param ahead how many deliveries will be created before it; null if it is not on the waiting list */
export type Forecast = (delivery: Delivery, ahead: number | null) => number | null;

const READ_EVERY_MS = 1000;

/** @param writesPer20s the configured pace, used until the first reading */
export function createForecast(budget: Pick<Budget, 'state'>, writesPer20s: number, clock: () => number): Forecast {
  let state: Omit<BudgetState, 'parked'> = { writesPer20s, throttle: null, holds: [] };
  let readAt = -Infinity;

  function refresh(now: number): void {
    if (Math.abs(now - readAt) < READ_EVERY_MS) return;
    readAt = now;
    budget.state().then(
      (read) => (state = read),
      () => undefined,
    );
  }

  return ({ status, dueAt, hardwareConfigurationId }, ahead) => {
    const now = clock();
    refresh(now);
    if (holdOf(state.holds, 'create', hardwareConfigurationId)) return null;
    if (status === 'queued') return expectedCreateAt(ahead ?? 0, { ...state, now });
    if (status !== 'waiting' && status !== 'delivering') return null;
    return expectedCreateAt(0, { ...state, now: Math.max(now, dueAt) });
  };
}
