// The index of deliveries: pages by device, status, configuration and time, and the search of one text. Records have the last word.
import type { CompactedDelivery } from '../../domain/submission/compacted-delivery.ts';
import { isDeliveryId, type Delivery } from '../../domain/delivery.ts';
import { isListed, newestFirst, toListedAt } from '../../domain/lists/delivery-list.ts';
import type { DeliveryFilter, DeliveryPage, ListedAt } from '../../domain/lists/delivery-list.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';
import { searchHash } from '../store/record.ts';
import type { Records } from '../store/records.ts';
import { createListRows } from './index-rows.ts';

/** Newest first; `complete` is false if there are more. One whose details were dropped is found by its id alone. */
export type SearchResult = { deliveries: Delivery[]; complete: boolean; compacted: CompactedDelivery | null };

export type DeliveryIndex = {
  /** @param after null for the first page */
  list: (filter: DeliveryFilter, limit: number, after: ListedAt | null) => Promise<DeliveryPage>;
  /** By delivery id, device id or run id. */
  search: (text: string) => Promise<SearchResult>;
  /** Removes what is about records that are gone; to be called now and then. */
  sweepIndex: () => Promise<void>;
};

/** Rows that are examined for one page; more than a page has, as some may have changed or be about another device. */
const EXAMINED_AT_MOST = 5000;
/** Calls for one page: chunks without a matching row are passed over several hundred at a time. */
const CALLS_AT_MOST = 200;
const FOUND_AT_MOST = 50;
const CHUNKS_PER_CALL = 300;
/** A chunk takes about a third of a millisecond; the hashes of devices are all looked through in about ten sweeps. */
const SWEEP = { chunks: 3, hashes: 820, calls: 1000 };

export type DeliveryIndexParts = {
  redis: RedisConnection;
  keys: Keys;
  records: Pick<Records, 'find' | 'findAll' | 'findCompacted'>;
};

export function createDeliveryIndex({ redis, keys, records }: DeliveryIndexParts): DeliveryIndex {
  const listRows = createListRows(redis, keys);
  const findRunScript = scriptOf(redis, 'index/find-run');
  const sweepScript = scriptOf(redis, 'index/sweep-chunks');

  async function list(filter: DeliveryFilter, limit: number, after: ListedAt | null): Promise<DeliveryPage> {
    const deliveries: Delivery[] = [];
    let [next, examined] = [after, 0];
    for (let calls = 0; calls < CALLS_AT_MOST && examined < EXAMINED_AT_MOST; calls += 1) {
      // One more than the page has room for tells whether another follows.
      const page = await listRows(filter, next, limit - deliveries.length + 1);
      const found = await records.findAll(page.rows.map(({ id }) => id));
      // A run that was forgotten and accepted again has two rows for a while.
      const isCurrent = (delivery: Delivery | null, index: number) =>
        delivery !== null && delivery.acceptedAt === page.rows[index]?.acceptedAt && isListed(delivery, filter);
      deliveries.push(...found.filter(isCurrent).filter((delivery) => delivery !== null));
      const last = deliveries[limit - 1];
      if (deliveries.length > limit && last) return { deliveries: deliveries.slice(0, limit), next: toListedAt(last) };
      if (page.next === null) return { deliveries, next: null };
      next = page.next;
      examined += page.rows.length;
    }
    return { deliveries, next };
  }

  async function findRun(runId: string): Promise<Pick<SearchResult, 'deliveries' | 'complete'>> {
    const found: Delivery[] = [];
    const isWanted = (delivery: Delivery) => delivery.runId === runId;
    let from: string | null = '+inf';
    while (from !== null && found.length < FOUND_AT_MOST) {
      const [next, ...ids] = (await findRunScript(
        [keys.counts],
        [keys.root, searchHash(runId), from, CHUNKS_PER_CALL],
      )) as [string | null, ...string[]];
      found.push(...(await records.findAll(ids)).filter((delivery) => delivery !== null).filter(isWanted));
      from = next;
    }
    return { deliveries: found, complete: from === null };
  }

  return {
    list,
    search: async (text) => {
      const exact = isDeliveryId(text) ? await records.find(text) : null;
      if (exact) return { deliveries: [exact], complete: true, compacted: null };
      const compacted = await records.findCompacted(text);
      if (compacted) return { deliveries: [], complete: true, compacted };
      const [device, run] = await Promise.all([list({ deviceId: text }, FOUND_AT_MOST, null), findRun(text)]);
      const found = [...device.deliveries, ...run.deliveries].toSorted(newestFirst);
      const distinct = found.filter(({ id }, index) => found[index - 1]?.id !== id);
      const complete = device.next === null && run.complete && distinct.length <= FOUND_AT_MOST;
      return { deliveries: distinct.slice(0, FOUND_AT_MOST), complete, compacted };
    },
    sweepIndex: async () => {
      let hashes = SWEEP.hashes;
      for (let calls = 0; calls < SWEEP.calls; calls += 1) {
        const [due, looked] = (await sweepScript([keys.counts], [keys.root, SWEEP.chunks, hashes])) as [number, number];
        hashes -= looked;
        if (due < SWEEP.chunks && hashes === 0) return;
      }
    },
  };
}
