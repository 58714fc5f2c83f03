// Waits until the replicas of a tenant's server have what was written to it, where there are any.
import type { Cluster, Redis } from 'ioredis';
import type { RedisConnection } from '../connection.ts';
import { isRefused } from '../redis-errors.ts';

/** Not all replicas have what was written: a failover now could lose it. */
export class NotConfirmed extends Error {
  constructor(confirmed: number, replicas: number) {
    super(`${confirmed} of ${replicas} replicas have confirmed what was written`);
    this.name = 'NotConfirmed';
  }
}

/** Less than the lock of a move lasts: the wait holds up all other commands of the connection, also its renewal. */
const WITHIN_MS = 3000;

/**
 * To be called on the connection that wrote.
 * @param root prefix of the tenant's keys
 * @throws NotConfirmed
 */
export async function confirmReplicas(connection: RedisConnection, root: string): Promise<void> {
  const node = connection.isCluster ? await nodeOf(connection as Cluster, root) : (connection as Redis);
  const info = await node.info('replication').catch((error: unknown) => {
    // Without the right to ask, nothing is known of replicas.
    if (isRefused(error)) return '';
    throw error;
  });
  const replicas = Number(/^connected_slaves:(\d+)/m.exec(info)?.[1] ?? 0);
  if (replicas === 0) return;
  const confirmed = await node.wait(replicas, WITHIN_MS);
  if (confirmed < replicas) throw new NotConfirmed(confirmed, replicas);
}

async function nodeOf(cluster: Cluster, root: string): Promise<Redis> {
  const slot = await cluster.cluster('KEYSLOT', root);
  const [address] = cluster.slots[slot] ?? [];
  const node = cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address);
  if (!node) throw new Error('the cluster has no master for this tenant at present');
  return node;
}
