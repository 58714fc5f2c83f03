// Estimates when the backlog, or one delivery in it, will be in Graph at the current budget.
import { tenantHold } from '../hold/hold.ts';
import { WINDOW_S } from '../pace/per-window.ts';
import { countKeptBack, countOpen, type TenantSnapshot } from './tenant-snapshot.ts';

/** The inputs of a forecast. */
type Prospects = Pick<TenantSnapshot, 'now' | 'holds' | 'throttle' | 'writesPer20s'>;

/** How long this many creates will take from now. */
export function secondsToCreate(deliveries: number, { now, throttle, writesPer20s }: Omit<Prospects, 'holds'>): number {
  if (deliveries === 0) return 0;
  return (deliveries * WINDOW_S) / writesPer20s + Math.max(0, (throttle?.until ?? now) - now) / 1000;
}

/** How long the backlog takes to drain, without deliveries held back by configuration holds: they do not delay others. */
export function drainSeconds(snapshot: TenantSnapshot): number {
  return secondsToCreate(Math.max(0, countOpen(snapshot.counts) - countKeptBack(snapshot)), snapshot);
}

/** When a delivery with this many ahead of it will be created; null while the tenant is held, as no time can be given. */
export function expectedCreateAt(ahead: number, prospects: Prospects): number | null {
  if (tenantHold(prospects.holds)) return null;
  return Math.round(prospects.now + secondsToCreate(ahead + 1, prospects) * 1000);
}
