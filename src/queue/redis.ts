// One connection recipe for every topology: embedded, single, Sentinel, Cluster; and how each purpose fails.
import { once } from 'node:events';
import { Cluster, Redis, type RedisOptions as AnyRedisOptions } from 'ioredis';
import type { RedisConfig } from '../config.ts';
import { socketPath } from './embedded-directory.ts';

export type RedisConnection = Redis | Cluster;
type RedisOptions = Omit<AnyRedisOptions, 'replyMapping'>;

/**
 * `answer`: a caller waits, so commands fail fast. `work`: nobody waits, so commands wait for Redis to come back.
 */
export type Purpose = 'answer' | 'work';

/** A caller that waits for Redis hears no within 2 s, even after two commands in a row. */
const ANSWER_TIMEOUT_MS = 1500;
const CONNECT_TIMEOUT_MS = 2000;
/** While a server loads its files it is asked again after this. */
const LOADING_RETRY_MS = 500;
/** Longer than BullMQ's blocking read of at most 10 s; a master that hangs is left after this. */
const SOCKET_TIMEOUT_MS = 15_000;

const OPTIONS: Record<Purpose, RedisOptions> = {
  answer: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: ANSWER_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(100 * times, 1000),
  },
  work: {
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(200 * times, 2000),
  },
};

/**
 * Opens a connection. It reconnects by itself for ever; the `error` events of lost connections go to onError, once per
 * attempt, without the command they interrupted.
 */
export function connect(config: RedisConfig, purpose: Purpose, onError: (error: Error) => void): RedisConnection {
  const connection = open(config, OPTIONS[purpose]);
  connection.on('error', onError);
  return connection;
}

function open(config: RedisConfig, options: RedisOptions): RedisConnection {
  switch (config.kind) {
    case 'embedded':
      return new Redis({ ...options, path: socketPath(config.directory), maxLoadingRetryTime: LOADING_RETRY_MS });
    case 'single': {
      const url = config.url.reveal();
      return url.startsWith('unix:')
        ? new Redis({ ...options, path: url.replace(/^unix:(\/\/)?/, '') })
        : new Redis(url, options);
    }
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: config.sentinels,
        name: config.name,
        failoverDetector: true,
        sentinelRetryStrategy: (times) => Math.min(100 * times, 1000),
      });
    case 'cluster': {
      const { enableOfflineQueue = true, maxRetriesPerRequest, ...redisOptions } = options;
      return new Cluster(config.nodes, {
        enableOfflineQueue,
        redisOptions: { ...redisOptions, maxRetriesPerRequest: maxRetriesPerRequest ?? null },
        clusterRetryStrategy: (times) => Math.min(100 * times, 1000),
      });
    }
  }
}

/** Waits a little for a new connection, so that the first caller is not refused; goes on without it. */
export async function settled(connection: RedisConnection): Promise<void> {
  if (connection.status === 'ready') return;
  await once(connection, 'ready', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) }).catch(() => undefined);
}

/** Closes a connection; one that cannot say goodbye is cut. */
export async function disconnect(connection: RedisConnection): Promise<void> {
  if (connection.status !== 'ready') {
    connection.disconnect();
    return;
  }
  await connection.quit().catch(() => connection.disconnect());
}
