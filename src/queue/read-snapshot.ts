// Reads a tenant's snapshot from Redis, in one round trip.
import type { TenantSnapshot } from '../domain/operations/tenant-snapshot.ts';
import type { Budget } from './budget/budget.ts';
import type { Deliveries } from './store/deliveries.ts';

export type ReadSnapshot = () => Promise<TenantSnapshot>;

export function createReadSnapshot(
  { deliveries, budget }: { deliveries: Pick<Deliveries, 'counts' | 'oldestOpen'>; budget: Pick<Budget, 'state'> },
  clock: () => number,
): ReadSnapshot {
  return async () => {
    const [counts, oldestOpen, state] = await Promise.all([
      deliveries.counts(),
      deliveries.oldestOpen(),
      budget.state(),
    ]);
    return { now: clock(), counts, oldestOpen, ...state };
  };
}
