// What an operator lists deliveries by, the order of the list, and the cursor of its pages.
import { isDeliveryId, type Delivery, type Status } from '../delivery.ts';

/** At least one of device and status is given. Instants are milliseconds since 1970. */
export type DeliveryFilter = {
  deviceId?: string | undefined;
  status?: Status | undefined;
  /** In lower case. */
  hardwareConfigurationId?: string | undefined;
  /** The first instant. */
  acceptedAfter?: number | undefined;
  /** The instant after the last one. */
  acceptedBefore?: number | undefined;
};

/** Directly after this delivery in the list; without an id after all of that instant. */
export type ListedAt = { acceptedAt: number; id: string };

/** A page may have fewer deliveries than asked for although more follow; `next` is null on the last one. */
export type DeliveryPage = { deliveries: Delivery[]; next: ListedAt | null };

export function isListed(delivery: Delivery, filter: DeliveryFilter): boolean {
  const { deviceId, status, hardwareConfigurationId, acceptedAfter, acceptedBefore } = filter;
  return (
    (deviceId === undefined || delivery.deviceId === deviceId) &&
    (status === undefined || delivery.status === status) &&
    (hardwareConfigurationId === undefined ||
      delivery.hardwareConfigurationId.toLowerCase() === hardwareConfigurationId) &&
    (acceptedAfter === undefined || delivery.acceptedAt >= acceptedAfter) &&
    (acceptedBefore === undefined || delivery.acceptedAt < acceptedBefore)
  );
}

/** Newest first, then by id, as the index has them. */
export const newestFirst = (a: ListedAt, b: ListedAt): number =>
  b.acceptedAt - a.acceptedAt || (a.id === b.id ? 0 : a.id < b.id ? 1 : -1);

/**
 * Merges pages of several lists. What a list has not come to yet may be newer than what the others had: only what no list
 * can add to is on the page.
 */
export function mergePages(pages: readonly DeliveryPage[], limit: number): DeliveryPage {
  const unfinished = pages.flatMap(({ next }) => next ?? []).toSorted(newestFirst);
  const [reached] = unfinished;
  const merged = pages.flatMap(({ deliveries }) => deliveries).toSorted(newestFirst);
  const settled = reached ? merged.filter((delivery) => newestFirst(delivery, reached) <= 0) : merged;
  const deliveries = settled.slice(0, limit);
  const last = deliveries.at(-1);
  return { deliveries, next: settled.length > limit && last ? toListedAt(last) : (reached ?? null) };
}

export const toListedAt = ({ acceptedAt, id }: ListedAt): ListedAt => ({ acceptedAt, id });

export const toListCursor = ({ acceptedAt, id }: ListedAt): string => `${acceptedAt.toString(36)}.${id}`;

/** The position a cursor encodes; null if we did not issue it. */
export function parseListCursor(cursor: string): ListedAt | null {
  const [, time = '', id = ''] = /^([\da-z]{1,10})\.(.*)$/s.exec(cursor) ?? [];
  const acceptedAt = Number.parseInt(time, 36);
  return Number.isSafeInteger(acceptedAt) && (id === '' || isDeliveryId(id)) ? { acceptedAt, id } : null;
}
