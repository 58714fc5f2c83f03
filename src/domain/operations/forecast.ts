// When the backlog, and one delivery in it, can be expected in Graph at the present budget.
import { tenantHold } from '../hold/hold.ts';
import { WINDOW_S } from '../pace/per-window.ts';
import { countKeptBack, countOpen, type TenantSnapshot } from './tenant-snapshot.ts';

/** What a forecast depends on. */
type Prospects = Pick<TenantSnapshot, 'now' | 'holds' | 'throttle' | 'writesPer20s'>;

/** How long this many creates take from now on. */
export function secondsToCreate(deliveries: number, { now, throttle, writesPer20s }: Omit<Prospects, 'holds'>): number {
  if (deliveries === 0) return 0;
  return (deliveries * WINDOW_S) / writesPer20s + Math.max(0, (throttle?.until ?? now) - now) / 1000;
}

/** How long the backlog takes to drain. What the hold of one configuration keeps back does not delay the others. */
export function drainSeconds(snapshot: TenantSnapshot): number {
  return secondsToCreate(Math.max(0, countOpen(snapshot.counts) - countKeptBack(snapshot)), snapshot);
}

/** When a delivery with this many ahead of it will be created; null while the tenant is held: then nobody knows. */
export function expectedCreateAt(ahead: number, prospects: Prospects): number | null {
  if (tenantHold(prospects.holds)) return null;
  return Math.round(prospects.now + secondsToCreate(ahead + 1, prospects) * 1000);
}
