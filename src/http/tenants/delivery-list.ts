// Deliveries of several tenants as one list, newest first.
import { mergePages, type DeliveryFilter, type DeliveryPage, type ListedAt } from '../../domain/lists/delivery-list.ts';
import type { Delivery } from '../../domain/delivery.ts';
import type { ServedTenant } from './served-tenant.ts';
import { shareOfPage } from './share-of-page.ts';

/** What is listed, from where on. */
export type ListQuery = { filter: DeliveryFilter; limit: number; after: ListedAt | null };

export async function listDeliveries(
  tenants: readonly ServedTenant[],
  { filter, limit, after }: ListQuery,
): Promise<DeliveryPage> {
  const share = shareOfPage(limit, tenants.length);
  return mergePages(await Promise.all(tenants.map(({ list }) => list(filter, share, after))), limit);
}

/** All pages up to `limit` deliveries. */
export async function* eachPage(
  tenants: readonly ServedTenant[],
  { filter, limit, after }: ListQuery,
  pageSize: number,
): AsyncGenerator<Delivery[]> {
  let [left, next] = [limit, after];
  do {
    const page = await listDeliveries(tenants, { filter, limit: Math.min(left, pageSize), after: next });
    yield page.deliveries;
    left -= page.deliveries.length;
    next = page.next;
  } while (next !== null && left > 0);
}
