// A tenant at one instant: counts, holds and pace. The basis of status, metrics, forecasts, explanations and the dashboard.
import type { Status } from '../delivery.ts';
import { tenantHold, type Hold, type HoldKey } from '../hold/hold.ts';

export type Counts = Record<Status, number>;

/** How many deliveries are parked under each configuration hold. */
export type Parked = Partial<Record<HoldKey, number>>;

/** Throttling by Graph. Instants are milliseconds since 1970. */
export type Throttle = { since: number; until: number };

/** Instants are milliseconds since 1970. */
export type TenantSnapshot = {
  now: number;
  counts: Counts;
  /** When the oldest open delivery was accepted: of all, and of those not parked by a configuration hold. */
  oldestOpen: { at: number | null; notParkedAt: number | null };
  holds: readonly Hold[];
  parked: Parked;
  throttle: Throttle | null;
  /** The pace that all workers share. */
  writesPer20s: number;
};

export const countOpen = ({ queued, delivering, waiting }: Counts): number => queued + delivering + waiting;

/** The total number of parked deliveries. */
export const countParked = (parked: Parked): number =>
  Object.values(parked).reduce((sum: number, count) => sum + (count ?? 0), 0);

/** How many are parked while others can be delivered; zero while the whole tenant is held. */
export const countKeptBack = ({ holds, parked }: Pick<TenantSnapshot, 'holds' | 'parked'>): number =>
  tenantHold(holds) === null ? countParked(parked) : 0;

/** Age of the oldest open delivery; 0 if there is none. */
export const oldestOpenAgeSeconds = ({ now, oldestOpen: { at } }: TenantSnapshot): number =>
  at === null ? 0 : Math.max(0, now - at) / 1000;
