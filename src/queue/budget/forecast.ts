// Estimates when a delivery will be in Graph, from the tenant's latest snapshot, so that callers never wait.
import type { Delivery } from '../../domain/delivery.ts';
import { expectedCreateAt } from '../../domain/operations/forecast.ts';
import { holdOf } from '../../domain/hold/hold.ts';
import type { TenantSnapshot } from '../../domain/operations/tenant-snapshot.ts';

/** @param ahead how many deliveries will be created before it; null if it is not on the waiting list */
export type Forecast = (delivery: Delivery, ahead: number | null) => number | null;

/** @param writesPer20s the configured pace, used until the first snapshot */
export function createForecast(
  latestSnapshot: () => Pick<TenantSnapshot, 'writesPer20s' | 'throttle' | 'holds'> | null,
  writesPer20s: number,
  clock: () => number,
): Forecast {
  return ({ status, dueAt, hardwareConfigurationId }, ahead) => {
    const now = clock();
    const state = latestSnapshot() ?? { writesPer20s, throttle: null, holds: [] };
    if (holdOf(state.holds, 'create', hardwareConfigurationId)) return null;
    if (status === 'queued') return expectedCreateAt(ahead ?? 0, { ...state, now });
    if (status !== 'waiting' && status !== 'delivering') return null;
    return expectedCreateAt(0, { ...state, now: Math.max(now, dueAt) });
  };
}
