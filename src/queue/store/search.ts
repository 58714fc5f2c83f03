// Finds deliveries by delivery, device or run id. Scans all records in slices, without an index.
import type { Cluster } from 'ioredis';
import { isDeliveryId, type Delivery } from '../../domain/delivery.ts';
import type { Keys } from '../redis/keys.ts';
import { searchHash } from './record.ts';
import type { Records } from './records.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

/** Newest first; `complete` is false if the limit or the time ran out, so there may be more. */
export type SearchResult = { deliveries: Delivery[]; complete: boolean };

export type Search = (text: string) => Promise<SearchResult>;

/** One slice blocks Redis for about a millisecond. */
const SLICE = 1000;
const FOUND_AT_MOST = 50;
const SEARCHED_FOR_MS = 5000;

export function createSearch(redis: RedisConnection, keys: Keys, { find }: Records): Search {
  const matchScript = scriptOf(redis, 'store/match-search-hash');
  const pattern = keys.delivery(`d${'?'.repeat(22)}`).replace(/[[\]\\*]/g, '\\$&');

  async function load(found: readonly string[], text: string): Promise<Delivery[]> {
    const ids = found.map((key) => key.slice(keys.delivery('').length));
    const loaded = await Promise.all(ids.map(find));
    return loaded.flatMap((delivery) =>
      delivery && (delivery.deviceId === text || delivery.runId === text) ? delivery : [],
    );
  }

  return async (text) => {
    const exact = isDeliveryId(text) ? await find(text) : null;
    if (exact) return { deliveries: [exact], complete: true };
    const found: Delivery[] = [];
    const giveUpAt = performance.now() + SEARCHED_FOR_MS;
    for await (const slice of scanKeys(redis, pattern)) {
      if (slice.length > 0)
        found.push(...(await load((await matchScript(slice, [searchHash(text)])) as string[], text)));
      if (found.length >= FOUND_AT_MOST || performance.now() > giveUpAt) return newestFirst(found, false);
    }
    return newestFirst(found, true);
  };
}

/** In a cluster all keys of a tenant are on one node, but only the cluster knows which, so all masters are scanned. */
async function* scanKeys(redis: RedisConnection, pattern: string): AsyncGenerator<string[]> {
  for (const node of redis.isCluster ? (redis as Cluster).nodes('master') : [redis]) {
    let cursor = '0';
    do {
      const [next, slice] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SLICE);
      cursor = next;
      yield slice;
    } while (cursor !== '0');
  }
}

function newestFirst(found: Delivery[], complete: boolean): SearchResult {
  return { deliveries: found.toSorted((a, b) => b.acceptedAt - a.acceptedAt).slice(0, FOUND_AT_MOST), complete };
}
