// Which of the records found in Graph a delivery may claim.
import type { Tenant } from '../tenant.ts';

/** @returns the unclaimed ones; if all are claimed and Graph keeps one row per device, all of them */
export type Claimable = (deviceRunStateIds: readonly string[], deliveryId: string) => Promise<string[]>;

export function createClaimable({ deliveries, facts }: Pick<Tenant, 'deliveries' | 'facts'>): Claimable {
  return async (ids, deliveryId) => {
    const unclaimed = await deliveries.unclaimed(ids, deliveryId);
    if (unclaimed.length > 0 || ids.length === 0) return unclaimed;
    const { oneRowPerDevice } = await facts.read();
    return oneRowPerDevice?.holds ? [...ids] : [];
  };
}
