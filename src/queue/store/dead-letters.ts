// Dead letters: listed newest first, replayed under the same id, removed only by an operator.
import { parseCursor, toCursor, type DeadLetterPosition } from '../../domain/operations/dead-letter-position.ts';
import { matches, type DeadLetterFilter } from '../../domain/operations/dead-letter.ts';
import { isDeliveryId, replay, type Delivery } from '../../domain/delivery.ts';
import type { Deliveries } from './deliveries.ts';
import type { Keys } from '../redis/keys.ts';
import type { Stored } from './record.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

export type DeadLetterPage = { deadLetters: Delivery[]; nextCursor: string | null };

/** One delivery, or all that match. */
export type Selection = { deliveryId: string } | { filter: DeadLetterFilter };

export type DeadLetters = {
  /**
   * @param limit maximum page size; a page may contain fewer although more follow
   * @param cursor `nextCursor` of the previous page
   */
  list: (filter: DeadLetterFilter, limit: number, cursor: string | null) => Promise<DeadLetterPage>;
  count: (selection: Selection) => Promise<number>;
  /** Of all that match, in slices. */
  positions: (filter: DeadLetterFilter) => AsyncGenerator<DeadLetterPosition[]>;
  /** Requeues them with their history; those no longer dead are left alone. @returns how many were requeued */
  replay: (selection: Selection, now: number) => Promise<number>;
  /** Removes them permanently. @returns how many */
  purge: (selection: Selection) => Promise<number>;
};

const SLICE = 200;
/** How many are examined for one page. */
const LOOKED_THROUGH = 10_000;

export function createDeadLetters(redis: RedisConnection, keys: Keys, deliveries: Deliveries): DeadLetters {
  const purgeScript = scriptOf(redis, 'store/purge-dead-letter');

  /** Newest first after a position, in slices, unaffected by concurrent removals. */
  async function* slicesAfter(
    from: DeadLetterPosition | null,
  ): AsyncGenerator<{ stored: Stored; place: DeadLetterPosition }[]> {
    let place = from;
    for (;;) {
      const slice = await readSlice(place);
      const last = slice.at(-1);
      if (!last) return;
      place = last;
      // One that cannot be read here is skipped, so that the others remain accessible.
      const stored = await deliveries.loadAll(slice.map(({ id }) => id));
      yield slice.flatMap((at, index) => {
        const delivery = stored[index];
        return delivery?.delivery.status === 'dead' ? [{ stored: delivery, place: at }] : [];
      });
    }
  }

  async function readSlice(after: DeadLetterPosition | null): Promise<DeadLetterPosition[]> {
    const [from, offset] = after ? [String(after.diedAt), await countTies(after)] : ['+inf', 0];
    const flat = await redis.zrevrangebyscore(keys.dead, from, '-inf', 'WITHSCORES', 'LIMIT', offset, SLICE);
    return Array.from({ length: flat.length / 2 }, (_, index) => ({
      id: flat[2 * index] ?? '',
      diedAt: Number(flat[2 * index + 1]),
    }));
  }

  /** How many with the same time of death are at or before this position; among them the order is by id, descending. */
  async function countTies({ diedAt, id }: DeadLetterPosition): Promise<number> {
    const tied = await redis.zrangebyscore(keys.dead, diedAt, diedAt);
    return tied.filter((other) => other >= id).length;
  }

  async function* select(selection: Selection): AsyncGenerator<Stored[]> {
    if ('deliveryId' in selection) {
      const stored = await deliveries.load(selection.deliveryId);
      yield stored?.delivery.status === 'dead' ? [stored] : [];
      return;
    }
    for await (const slice of slicesAfter(null)) {
      yield slice.map(({ stored }) => stored).filter(({ delivery }) => matches(delivery, selection.filter));
    }
  }

  async function* positions(filter: DeadLetterFilter): AsyncGenerator<DeadLetterPosition[]> {
    for await (const slice of slicesAfter(null)) {
      yield slice.filter(({ stored }) => matches(stored.delivery, filter)).map(({ place }) => place);
    }
  }

  async function forEach(selection: Selection, act: (stored: Stored) => Promise<boolean>): Promise<number> {
    let done = 0;
    for await (const slice of select(selection)) {
      const results = await Promise.all(slice.map(act));
      done += results.filter(Boolean).length;
    }
    return done;
  }

  const purge = async (id: string) =>
    (await purgeScript([keys.delivery(id), keys.dead, keys.counts], [id, keys.root])) === 1;

  return {
    list: async (filter, limit, cursor) => {
      const deadLetters: Delivery[] = [];
      let looked = 0;
      for await (const slice of slicesAfter(cursor === null ? null : parseCursor(cursor))) {
        for (const { stored, place } of slice) {
          looked += 1;
          if (matches(stored.delivery, filter)) deadLetters.push(stored.delivery);
          if (deadLetters.length === limit || looked === LOOKED_THROUGH)
            return { deadLetters, nextCursor: toCursor(place) };
        }
      }
      return { deadLetters, nextCursor: null };
    },
    positions,
    count: async (selection) => {
      if (!('deliveryId' in selection)) return forEach(selection, () => Promise.resolve(true));
      return (await redis.zscore(keys.dead, selection.deliveryId)) === null ? 0 : 1;
    },
    replay: async (selection, now) => {
      const replayed = await forEach(selection, async (stored) => {
        return (await deliveries.save(stored, replay(stored.delivery, now), { now })).kind === 'saved';
      });
      await deliveries.promote();
      return replayed;
    },
    purge: async (selection) => {
      // Even one that no key opens can be removed by its id.
      if ('deliveryId' in selection) {
        return isDeliveryId(selection.deliveryId) && (await purge(selection.deliveryId)) ? 1 : 0;
      }
      return forEach(selection, ({ delivery }) => purge(delivery.id));
    },
  };
}
