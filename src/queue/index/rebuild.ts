// Rebuilds the index beside live traffic: adds the records that are not in it, and corrects the rows of those that are.
import type { Cluster } from 'ioredis';
import { configurationKey } from '../../domain/hold/hold.ts';
import { HEADER_BYTES } from '../lua/constants.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';
import { configurationOf, parseHeader } from '../store/record.ts';
import type { Records } from '../store/records.ts';

/** How many records were looked at, and how many of them were not in the index. */
export type Rebuilt = { records: number; added: number };

export type RebuildParts = { redis: RedisConnection; keys: Keys; tenantId: string; records: Pick<Records, 'findAll'> };

type Found = { id: string; acceptedAt: number; configuration: string };

/** One slice blocks Redis for about a millisecond. */
const SLICE = 1000;
const ADDED_AT_ONCE = 50;

/** Reads the headers of all records, then adds from the oldest to the newest. @param onProgress how many are done, of how many */
export async function rebuildIndex(
  { redis, keys, tenantId, records }: RebuildParts,
  onProgress: (done: number, all: number) => void,
): Promise<Rebuilt> {
  const addScript = scriptOf(redis, 'index/add-missing');
  const found: Found[] = [];
  for await (const slice of scanKeys(redis, keys)) found.push(...(await readHeaders(slice)));
  found.sort((a, b) => a.acceptedAt - b.acceptedAt);
  let added = 0;
  for (let from = 0; from < found.length; from += ADDED_AT_ONCE) {
    const slice = await withConfigurations(found.slice(from, from + ADDED_AT_ONCE));
    const args = slice.flatMap(({ id, configuration }) => [id, configuration]);
    added += Number(await addScript([keys.counts], [keys.root, slice.length, ...args]));
    onProgress(Math.min(from + ADDED_AT_ONCE, found.length), found.length);
  }
  return { records: found.length, added };

  async function readHeaders(slice: readonly string[]): Promise<Found[]> {
    const headers = await Promise.all(slice.map((key) => redis.getrange(key, 0, HEADER_BYTES)));
    return headers.flatMap((header, index) => {
      // One that expired meanwhile.
      if (header === '') return [];
      const id = (slice[index] ?? '').slice(keys.delivery('').length);
      const { acceptedAt } = parseHeader(id, tenantId, header).base;
      return { id, acceptedAt, configuration: configurationOf(header) };
    });
  }

  /** Records of the first versions have no configuration key in their header. */
  async function withConfigurations(slice: readonly Found[]): Promise<Found[]> {
    const lacking = slice.filter(({ configuration }) => configuration === '').map(({ id }) => id);
    const deliveries = await records.findAll(lacking);
    const known = new Map(deliveries.flatMap((delivery) => (delivery ? [[delivery.id, delivery]] : [])));
    return slice.map((one) => {
      const delivery = known.get(one.id);
      return delivery ? { ...one, configuration: configurationKey(delivery.hardwareConfigurationId) } : one;
    });
  }
}

/** In a cluster all keys of a tenant are on one node, but only the cluster knows which, so all masters are scanned. */
async function* scanKeys(redis: RedisConnection, keys: Keys): AsyncGenerator<string[]> {
  const pattern = keys.delivery(`d${'?'.repeat(22)}`).replace(/[[\]\\*]/g, '\\$&');
  for (const node of redis.isCluster ? (redis as Cluster).nodes('master') : [redis]) {
    let cursor = '0';
    do {
      const [next, slice] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SLICE);
      cursor = next;
      yield slice;
    } while (cursor !== '0');
  }
}
