// Removes all keys of a tenant, for good.
import { createAnnouncementKeys, createKeys } from '../keys.ts';
import type { OpenRedis } from '../open-redis.ts';
import { scanTenant } from './scan-keys.ts';

/** A process that is just shutting down may write again. */
const PASSES = 3;

type PurgeOptions = {
  /** These stay. */
  kept?: readonly string[];
  /** Without it they are unlinked. Resolves to how many there were. */
  remove?: (keys: readonly string[]) => Promise<number>;
};

/** @returns how many keys were removed */
export async function purgeTenant(
  { connection, prefix }: Pick<OpenRedis, 'connection' | 'prefix'>,
  tenantId: string,
  { kept = [], remove = (keys) => connection.unlink(...keys) }: PurgeOptions = {},
): Promise<number> {
  const { root } = createKeys(prefix, tenantId);
  let removed = 0;
  for (let pass = 0; pass < PASSES; pass += 1) {
    const found = await removeOnce();
    removed += found;
    if (found === 0) break;
  }
  await connection.hdel(createAnnouncementKeys(prefix).announced, tenantId);
  return removed;

  async function removeOnce(): Promise<number> {
    let count = 0;
    for await (const keys of scanTenant(connection, root)) {
      const going = keys.filter((key) => !kept.includes(key));
      if (going.length > 0) count += await remove(going);
    }
    return count;
  }
}
