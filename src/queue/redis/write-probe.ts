// Checks whether Redis accepts writes, with a write that changes nothing. Runs continuously, so that a connection which now
// leads to a replica is noticed even when nothing is written.
import type { RedisConnection } from './connection.ts';

export type WriteProbe = {
  /** @throws Error if Redis does not accept a write */
  probe: () => Promise<void>;
  close: () => void;
};

const ASK_EVERY_MS = 1000;

/** Opens the probe of the node that holds the keys with this prefix. */
export type OpenWriteProbe = (root: string) => WriteProbe;

/**
 * One probe for all tenants, unless they are on different nodes of a Redis Cluster.
 * @param onTrouble called with the reason if a write was refused
 */
export function openWriteProbes(
  redis: RedisConnection,
  root: string,
  onTrouble: (error: Error) => void,
): { open: OpenWriteProbe; close: () => void } {
  if (redis.isCluster) return { open: (of) => openProbe(redis, of, onTrouble), close: () => undefined };
  const shared = openProbe(redis, root, onTrouble);
  return { open: () => ({ ...shared, close: () => undefined }), close: shared.close };
}

function openProbe(redis: RedisConnection, root: string, onTrouble: (error: Error) => void): WriteProbe {
  let asking: Promise<void> | null = null;

  /** One at a time: if commands wait for Redis to come back, further ones would only wait as well. */
  function probe(): Promise<void> {
    // The key never exists, so nothing is written or fsynced; but anything that refuses writes refuses this one.
    asking ??= redis
      .del(`${root}:probe`)
      .then(() => undefined)
      .finally(() => (asking = null));
    return asking;
  }

  const probesAgain = setInterval(() => {
    if (redis.status === 'ready') probe().catch(onTrouble);
  }, ASK_EVERY_MS);
  return { probe, close: () => clearInterval(probesAgain) };
}
