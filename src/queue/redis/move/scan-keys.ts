// Finds the keys of a tenant, slice by slice, on whichever server has them.
import type { Cluster, Redis } from 'ioredis';
import type { RedisConnection } from '../connection.ts';

/** Looked at in one call, which blocks Redis for a fraction of a millisecond. */
const SLICE = 1000;

/** In a Cluster all keys of a tenant are on one node, but only the cluster knows which, so all masters are scanned. */
const nodesOf = (connection: RedisConnection): readonly Redis[] =>
  connection.isCluster ? (connection as Cluster).nodes('master') : [connection as Redis];

/**
 * All keys that match for as long as it takes; one that is added or removed meanwhile may be missed, and one may come twice.
 * @param pattern as SCAN takes it
 */
async function* scanKeys(connection: RedisConnection, pattern: string): AsyncGenerator<string[]> {
  for (const node of nodesOf(connection)) {
    let cursor = '0';
    do {
      const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SLICE);
      cursor = next;
      if (keys.length > 0) yield keys;
    } while (cursor !== '0');
  }
}

/** Every key of a tenant. @param root prefix of its keys */
export const scanTenant = (connection: RedisConnection, root: string): AsyncGenerator<string[]> =>
  scanKeys(connection, `${escapePattern(root)}:*`);

const escapePattern = (text: string) => text.replace(/[[\]\\*?]/g, '\\$&');

/** Ids of the tenants that have data under this prefix, or of which a move left something behind. */
export async function findTenants(connection: RedisConnection, prefix: string): Promise<string[]> {
  const found = new Set<string>();
  for (const name of ['counts', 'move', 'past-moves'])
    for await (const keys of scanKeys(connection, `${escapePattern(prefix)}:{*}:${name}`))
      for (const key of keys) found.add(key.slice(prefix.length + 2, key.indexOf('}')));
  return [...found].sort();
}
