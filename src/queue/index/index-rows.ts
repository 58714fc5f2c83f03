// Rows of the index: lists the ids of deliveries by device, status, configuration and time without reading records.
import { configurationKey } from '../../domain/hold/hold.ts';
import type { DeliveryFilter, ListedAt } from '../../domain/lists/delivery-list.ts';
import { STATUS_CODES } from '../lua/constants.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';
import { searchHash } from '../store/record.ts';

/** The next rows, newest first; `next` is where the list goes on, null at its end. */
export type Rows = { rows: ListedAt[]; next: ListedAt | null };

/** @param after null for the beginning of the list */
export type ListRows = (filter: DeliveryFilter, after: ListedAt | null, limit: number) => Promise<Rows>;

const LAST_INSTANT = 8_640_000_000_000_000;

export function createListRows(redis: RedisConnection, keys: Keys): ListRows {
  const listScript = scriptOf(redis, 'index/list-rows');
  return async (filter, after, limit) => {
    const { deviceId, status, hardwareConfigurationId: configuration } = filter;
    const { acceptedAfter = 0, acceptedBefore = LAST_INSTANT } = filter;
    // A position without an id is after everything of its instant.
    const newest = after && (after.id === '' ? after.acceptedAt - 1 : after.acceptedAt);
    const isWithin = newest !== null && newest < acceptedBefore;
    const [follows = 'none', ...flat] = (await listScript(
      [keys.counts],
      [
        keys.root,
        deviceId === undefined ? '' : searchHash(deviceId),
        status === undefined ? '' : STATUS_CODES[status],
        configuration === undefined ? '' : configurationKey(configuration),
        isWithin ? newest : acceptedBefore - 1,
        isWithin ? (after?.id ?? '') : '',
        acceptedAfter,
        limit,
      ],
    )) as string[];
    const rows = Array.from({ length: flat.length / 2 }, (_, index) => ({
      acceptedAt: Number(flat[2 * index]),
      id: flat[2 * index + 1] ?? '',
    }));
    if (follows === 'none') return { rows, next: null };
    return { rows, next: follows === 'more' ? (rows.at(-1) ?? null) : { acceptedAt: Number(follows) + 1, id: '' } };
  };
}
