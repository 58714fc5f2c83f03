// Lets time pass in Redis without waiting for it: everything that expires does so by that much earlier.
import type { Redis } from 'ioredis';
import type { Keys } from '../../src/queue/redis/keys.ts';

/** For the keys of one tenant. */
export async function passTime(client: Redis, { root }: Pick<Keys, 'root'>, ms: number): Promise<void> {
  for (const key of await client.keys(`${root}:*`)) {
    const leftMs = await client.pttl(key);
    // Without an expiry, or gone meanwhile.
    if (leftMs < 0) continue;
    if (leftMs <= ms) await client.del(key);
    else await client.pexpire(key, leftMs - ms);
  }
  // The generations of compacted runs say themselves when they expire.
  const generations = await client.hgetall(`${root}:m`);
  for (const [number, state] of Object.entries(generations)) {
    const [buckets, entries, expiresAt] = state.split(' ');
    await client.hset(`${root}:m`, number, `${buckets} ${entries} ${Number(expiresAt) - ms}`);
  }
}
