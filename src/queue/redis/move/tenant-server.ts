// The server that has a tenant's keys, also in a Cluster.
import type { Cluster, Redis } from 'ioredis';
import type { RedisConnection } from '../connection.ts';
import { isRefused } from '../redis-errors.ts';

/** No server of the Cluster takes writes for this tenant, as while a failover is under way. */
export class NoPrimary extends Error {
  constructor() {
    super('no server of the Cluster has this tenant at present');
    this.name = 'NoPrimary';
  }
}

/** @param root prefix of the tenant's keys. @throws NoPrimary */
export async function serverOf(connection: RedisConnection, root: string): Promise<Redis> {
  if (!connection.isCluster) return connection as Redis;
  const cluster = connection as Cluster;
  const slot = await cluster.cluster('KEYSLOT', root);
  const [address] = cluster.slots[slot] ?? [];
  const node = cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address);
  if (!node) throw new NoPrimary();
  return node;
}

/** A field of INFO; null without the right to ask. */
export async function readInfoField(server: Redis, section: string, field: string): Promise<string | null> {
  const info = await server.info(section).catch((error: unknown) => {
    if (isRefused(error)) return '';
    throw error;
  });
  return new RegExp(`^${field}:(\\S*)`, 'm').exec(info)?.[1] ?? null;
}
