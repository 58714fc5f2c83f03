// A tenant's state for operators, with the figures derived from it that status and gauges share.
import { drainSeconds } from '../domain/operations/forecast.ts';
import { oldestOpenAgeSeconds, type TenantSnapshot } from '../domain/operations/tenant-snapshot.ts';
import { toPerSecond } from '../domain/pace/per-window.ts';

export type TenantFigures = TenantSnapshot & {
  oldestQueuedAgeSeconds: number;
  budgetWritesPerSecond: number;
  drainSeconds: number;
};

export const toTenantFigures = (snapshot: TenantSnapshot): TenantFigures => ({
  ...snapshot,
  oldestQueuedAgeSeconds: oldestOpenAgeSeconds(snapshot),
  budgetWritesPerSecond: toPerSecond(snapshot.writesPer20s),
  drainSeconds: drainSeconds(snapshot),
});
