// A tenant at one instant: its counts, its holds and its pace. Status, metrics, forecasts, explanations and the dashboard are made from it.
import type { Status } from '../delivery.ts';
import { tenantHold, type Hold, type HoldKey } from '../hold/hold.ts';

export type Counts = Record<Status, number>;

/** How many deliveries are parked under each hold of a configuration. */
export type Parked = Partial<Record<HoldKey, number>>;

/** Graph's “not before”. Instants are milliseconds since 1970. */
export type Throttle = { since: number; until: number };

/** Instants are milliseconds since 1970. */
export type TenantSnapshot = {
  now: number;
  counts: Counts;
  /** When the oldest open delivery was accepted: of all, and of those that no configuration's hold has parked. */
  oldestOpen: { at: number | null; notParkedAt: number | null };
  holds: readonly Hold[];
  parked: Parked;
  throttle: Throttle | null;
  /** The pace all workers keep together. */
  writesPer20s: number;
};

export const countOpen = ({ queued, delivering, waiting }: Counts): number => queued + delivering + waiting;

/** All that are parked. */
export const countParked = (parked: Parked): number =>
  Object.values(parked).reduce((sum: number, count) => sum + (count ?? 0), 0);

/** Those parked while everything else flows; none while the whole tenant is held. */
export const countKeptBack = ({ holds, parked }: Pick<TenantSnapshot, 'holds' | 'parked'>): number =>
  tenantHold(holds) === null ? countParked(parked) : 0;

/** How old the oldest open delivery is; 0 where there is none. */
export const oldestOpenAgeSeconds = ({ now, oldestOpen: { at } }: TenantSnapshot): number =>
  at === null ? 0 : Math.max(0, now - at) / 1000;
