// Holds as operators see them: one per reason and scope, with its remedy and a configuration's parked deliveries.
import { configurationHolds, configurationKey, remedyOfHold, summariseHolds, type Hold } from '../domain/hold/hold.ts';
import type { Parked } from '../domain/operations/tenant-snapshot.ts';

export type HoldView = {
  reason: Hold['reason'];
  since: string;
  detail: string;
  remedy: string;
  /** If only one configuration is held. */
  hardwareConfigurationId?: string;
  /** If only one configuration is held: the number of its parked deliveries. */
  deliveries?: number;
};

export function toHoldViews(holds: readonly Hold[], parked: Parked): HoldView[] {
  return summariseHolds(holds).map((hold) => {
    const { reason, since, detail, hardwareConfigurationId } = hold;
    return {
      reason,
      since: new Date(since).toISOString(),
      detail,
      remedy: remedyOfHold(hold),
      ...(hardwareConfigurationId !== null && {
        hardwareConfigurationId,
        deliveries: countOf(hardwareConfigurationId, parked),
      }),
    };
  });
}

/** Number of held hardware configurations by reason. */
export function countHeldConfigurations(holds: readonly Hold[]): Map<Hold['reason'], number> {
  const seen = new Set<string>();
  const counts = new Map<Hold['reason'], number>();
  for (const { reason, hardwareConfigurationId } of configurationHolds(holds)) {
    const key = `${reason} ${configurationKey(hardwareConfigurationId ?? '')}`;
    if (!seen.has(key)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    seen.add(key);
  }
  return counts;
}

/** A configuration's parked deliveries: those to be created and those to be looked up. */
function countOf(hardwareConfigurationId: string, parked: Parked): number {
  const key = configurationKey(hardwareConfigurationId);
  return (parked[`create:${key}`] ?? 0) + (parked[`look:${key}`] ?? 0);
}
