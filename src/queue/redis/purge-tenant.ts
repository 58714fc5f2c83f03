// Removes all keys of a tenant, for good.
import type { Cluster } from 'ioredis';
import { createAnnouncementKeys, createKeys } from './keys.ts';
import type { OpenRedis } from './open-redis.ts';

const SLICE = 1000;
/** A process that is just shutting down may write again. */
const PASSES = 3;

/** @returns how many keys were removed */
export async function purgeTenant(
  { connection, prefix }: Pick<OpenRedis, 'connection' | 'prefix'>,
  tenantId: string,
): Promise<number> {
  const pattern = `${createKeys(prefix, tenantId).root.replace(/[[\]\\*?]/g, '\\$&')}:*`;
  await connection.hdel(createAnnouncementKeys(prefix).announced, tenantId);
  let removed = 0;
  for (let pass = 0; pass < PASSES; pass += 1) {
    const found = await removeOnce();
    removed += found;
    if (found === 0) break;
  }
  return removed;

  async function removeOnce(): Promise<number> {
    let count = 0;
    for (const node of connection.isCluster ? (connection as Cluster).nodes('master') : [connection]) {
      let cursor = '0';
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SLICE);
        cursor = next;
        if (keys.length > 0) count += await node.unlink(...keys);
      } while (cursor !== '0');
    }
    return count;
  }
}
