// Opens connections to Redis, embedded, single, Sentinel or Cluster; their purpose decides how commands fail.
import { once } from 'node:events';
import { Cluster, Redis, type RedisOptions as AnyRedisOptions } from 'ioredis';
import { parseRedisUrl, readPassword, type RedisAccess, type RedisConfig } from '../../config/redis.ts';
import { socketPath } from './embedded/directory.ts';
import { guardDatabase } from './database-guard.ts';
import { createRedisErrors, type RedisErrors } from './redis-errors.ts';
import { surviveFailover } from './sentinel-failover.ts';

export type RedisConnection = Redis | Cluster;
type RedisOptions = Omit<AnyRedisOptions, 'replyMapping'>;

/**
 * `answer`: a caller waits, so commands fail fast. `work`: nobody waits, so commands wait for Redis to come back.
 * `examine`: like `answer`, but keeps its connection to a server that refuses commands, such as a replica.
 * `vouch`: like `answer`, but no command is ever sent again on another connection, where it would mean something else.
 */
export type Purpose = 'answer' | 'work' | 'examine' | 'vouch';

/** A command without a reply fails after this time, so that a caller gets its error within 2 s. */
const ANSWER_TIMEOUT_MS = 1500;
const CONNECT_TIMEOUT_MS = 2000;
/** Longest pause between checks whether the embedded server has loaded its files. */
const LOADING_RETRY_MS = 500;
/** A server that leaves a command unanswered this long hangs. Longer than BullMQ's blocking read of at most 10 s. */
const SOCKET_TIMEOUT_MS = 15_000;

const ANSWER: RedisOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: ANSWER_TIMEOUT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  socketTimeout: SOCKET_TIMEOUT_MS,
  retryStrategy: (times) => Math.min(100 * times, 1000),
};
const OPTIONS: Record<Purpose, RedisOptions> = {
  answer: ANSWER,
  examine: ANSWER,
  vouch: { ...ANSWER, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
  work: {
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(200 * times, 2000),
  },
};

/** What to do if the server refuses a command. 1: reconnect, fail it. 2: reconnect, resend it. false: only fail it. */
const RECONNECT_ON_REFUSAL = { answer: 1, work: 2, examine: false, vouch: 1 } as const;

/** A thousand tenants, each with a few. */
const LISTENERS_AT_MOST = 100_000;

const errorsByConnection = new WeakMap<RedisConnection, RedisErrors>();

/** The error replies recorded for a connection that `connect` opened; those on its duplicates are among them. */
export function redisErrorsOf(connection: RedisConnection): RedisErrors {
  const redisErrors = errorsByConnection.get(connection);
  if (!redisErrors) throw new Error('a connection that was not opened here');
  return redisErrors;
}

/**
 * Opens a connection. It reconnects for ever when it is lost and, except for `examine`, when its server refuses
 * commands, as a replica does. `onError` gets the errors of the connection itself, one for each failed attempt to
 * connect; the errors of commands go to their callers.
 */
export function connect(config: RedisConfig, purpose: Purpose, onError: (error: Error) => void): RedisConnection {
  const redisErrors = createRedisErrors(() => performance.now());
  const reconnectOnError = (error: Error) => redisErrors.note(error) && RECONNECT_ON_REFUSAL[purpose];
  const opened = open(config, { ...OPTIONS[purpose], reconnectOnError });
  const connection = opened instanceof Redis ? guardDatabase(opened) : opened;
  errorsByConnection.set(connection, redisErrors);
  // Every tenant of a process listens to its one connection. No limit would be 0, to which BullMQ adds.
  connection.setMaxListeners(LISTENERS_AT_MOST);
  connection.on('error', (error: Error) => {
    redisErrors.note(error);
    onError(error);
  });
  return connection;
}

function open(config: RedisConfig, options: RedisOptions): RedisConnection {
  switch (config.kind) {
    case 'embedded':
      return new Redis({ ...options, path: socketPath(config.directory), maxLoadingRetryTime: LOADING_RETRY_MS });
    case 'single': {
      const { server, username, password, tls, db, family } = addressOf(config.url.reveal());
      const own = { ...(username !== null && { username }), ...(password !== null && { password }) };
      return new Redis({
        ...withPasswordRead(options, password === null ? config.access : undefined, 'password'),
        ...(config.access?.username && { username: config.access.username }),
        ...own,
        ...server,
        db,
        ...(family !== null && { family }),
        ...('host' in server && (tls || config.access?.tls) && { tls: {} }),
      });
    }
    case 'sentinel':
      return surviveFailover(
        new Redis({
          ...withPasswordRead(options, config.access, 'password', 'sentinelPassword'),
          ...(config.access?.username && {
            username: config.access.username,
            sentinelUsername: config.access.username,
          }),
          ...(config.access?.tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
          sentinels: config.sentinels,
          name: config.name,
          failoverDetector: true,
          sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
          sentinelRetryStrategy: (times) => Math.min(100 * times, 1000),
        }),
      );
    case 'cluster': {
      const { enableOfflineQueue = true, maxRetriesPerRequest, ...redisOptions } = options;
      const secured = {
        ...redisOptions,
        maxRetriesPerRequest: maxRetriesPerRequest ?? null,
        ...(config.access?.username && { username: config.access.username }),
        ...(config.access?.tls && { tls: {} }),
      };
      const nodeOptions = withPasswordRead(secured, config.access, 'password');
      const cluster = new Cluster(config.nodes, {
        enableOfflineQueue,
        redisOptions: nodeOptions,
        clusterRetryStrategy: (times) => {
          readPasswordAgain(nodeOptions, config.access, 'password');
          return Math.min(100 * times, 1000);
        },
        // Keeps host names: certificates are issued for them, but ioredis would replace them by addresses.
        ...(config.access?.tls && { dnsLookup: (address, callback) => callback(null, address) }),
      });
      return cluster.on('+node', outliveAsking);
    }
  }
}

/**
 * While a slot moves, ioredis sends ASKING before a command and leaves its promise alone: refused, or lost with the connection,
 * it would be an unhandled rejection. The command that follows fails as well, and its caller hears of it.
 */
function outliveAsking(node: Redis): void {
  const asking = node.asking.bind(node);
  node.asking = () => {
    const asked = asking();
    asked.catch(() => undefined);
    return asked;
  };
}

function addressOf(url: string) {
  const address = parseRedisUrl(url);
  if (typeof address === 'string') throw new Error(`REDIS_URL ${address}`);
  return address;
}

type PasswordOption = 'password' | 'sentinelPassword';

/** Adds the password, and re-reads it before each reconnect: ioredis calls `retryStrategy` on the options it uses. */
function withPasswordRead(options: RedisOptions, access: RedisAccess | undefined, ...names: PasswordOption[]) {
  const { retryStrategy } = options;
  const withPassword: RedisOptions = {
    ...options,
    retryStrategy(this: RedisOptions, times) {
      readPasswordAgain(this, access, ...names);
      return retryStrategy?.(times);
    },
  };
  readPasswordAgain(withPassword, access, ...names);
  return withPassword;
}

/** Reads the password again. If its file cannot be read, as while it is replaced, the previous password stays. */
function readPasswordAgain(options: RedisOptions, access: RedisAccess | undefined, ...names: PasswordOption[]): void {
  if (!access?.password) return;
  try {
    for (const name of names) options[name] = readPassword(access.password);
  } catch {
    // The previous password is tried again; if it is no longer valid, Redis refuses it.
  }
}

/** Waits briefly for a new connection to be ready, so that its first command does not fail. Never throws. */
export async function waitUntilReady(connection: RedisConnection): Promise<void> {
  if (connection.status === 'ready') return;
  await once(connection, 'ready', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) }).catch(() => undefined);
}

/** Closes a connection: with QUIT if it is ready; otherwise, or if QUIT fails, at once. */
export async function disconnect(connection: RedisConnection): Promise<void> {
  if (connection.status !== 'ready') {
    connection.disconnect();
    return;
  }
  await connection.quit().catch(() => connection.disconnect());
}
