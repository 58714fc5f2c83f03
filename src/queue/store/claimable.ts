// Which of the records found in Graph a delivery may take for its own.
import type { Tenant } from '../tenant.ts';

/** @returns those nobody has; where Graph keeps one row per device and somebody has them all, those */
export type Claimable = (deviceRunStateIds: readonly string[], deliveryId: string) => Promise<string[]>;

export function createClaimable({ deliveries, facts }: Pick<Tenant, 'deliveries' | 'facts'>): Claimable {
  return async (ids, deliveryId) => {
    const unclaimed = await deliveries.unclaimed(ids, deliveryId);
    if (unclaimed.length > 0 || ids.length === 0) return unclaimed;
    const { oneRowPerDevice } = await facts.read();
    return oneRowPerDevice?.holds ? [...ids] : [];
  };
}
