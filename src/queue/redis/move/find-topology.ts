// Whether the server at an address is one of a Cluster: then the whole of it is meant.
import { parseRedisUrl, type RedisConfig } from '../../../config/redis.ts';
import { toSecret } from '../../../config/secret.ts';
import { connect, disconnect, waitUntilReady } from '../connection.ts';
import { readInfo } from '../health.ts';

/**
 * @returns the configuration of the Cluster if the address leads to one of its servers, else the same; null if nobody answers
 * @throws Error if the server is one of a Cluster that cannot be reached that way
 */
export async function findTopology(config: RedisConfig): Promise<RedisConfig | null> {
  if (config.kind !== 'single') return config;
  const connection = connect(config, 'examine', () => undefined);
  try {
    await waitUntilReady(connection);
    if (connection.status !== 'ready') return null;
    const { info } = await readInfo(connection);
    return /^cluster_enabled:1/m.test(info) ? toCluster(config) : config;
  } finally {
    await disconnect(connection);
  }
}

function toCluster({ url, prefix, access, minReplicas }: Extract<RedisConfig, { kind: 'single' }>): RedisConfig {
  const address = parseRedisUrl(url.reveal());
  if (typeof address === 'string') throw new Error(address);
  const { server, username, password, tls, db } = address;
  if (!('host' in server)) throw new Error('a Cluster cannot be reached by a socket');
  if (db !== 0) throw new Error('a Cluster has no database but 0');
  return {
    kind: 'cluster',
    nodes: [server],
    prefix,
    access: {
      username: username ?? access?.username ?? null,
      password: password === null ? (access?.password ?? null) : { kind: 'given', value: toSecret(password) },
      tls: tls || access?.tls === true,
    },
    ...(minReplicas !== undefined && { minReplicas }),
  };
}
