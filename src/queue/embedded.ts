// Embedded Redis: our own redis-server on a socket under DATA_DIR, started by whoever comes first, stopped by the last.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { CannotStart } from '../cannot-start.ts';

/** How long a server may take to load its files before a starter gives up on it. */
export const EMBEDDED_READY_MS = 30_000;
const POLL_MS = 25;
const LEAVING = 'leaving';
/** sun_path holds 108 bytes, the last one a NUL. */
const SOCKET_PATH_LIMIT = 107;

export type EmbeddedRedis = {
  /** Starts the server again where it is gone; does nothing where it answers. */
  ensure: () => Promise<void>;
  /** Stops the server unless another process still uses it. */
  close: () => Promise<void>;
};

/** The server's socket; in the temporary directory where DATA_DIR is too deep for a socket's path. */
export function socketPath(directory: string): string {
  const path = resolve(directory, 'redis.sock');
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT) return path;
  return join(tmpdir(), `runstate-bridge-${createHash('sha256').update(path).digest('hex').slice(0, 16)}.sock`);
}

/**
 * Starts the embedded Redis of a directory, or joins the one that runs. Every write is fsynced before its reply.
 * @throws CannotStart with one clear line where no redis-server can be found or it does not come up
 */
export async function startEmbeddedRedis(directory: string): Promise<EmbeddedRedis> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let starting: Promise<void> | null = null;
  const ensure = () => (starting ??= startOrJoin(directory).finally(() => (starting = null)));
  await ensure();
  return { ensure, close: () => leave(directory) };
}

async function startOrJoin(directory: string): Promise<void> {
  const giveUpAt = Date.now() + EMBEDDED_READY_MS;
  while (!(await answers(directory))) {
    if (Date.now() > giveUpAt) {
      throw new CannotStart(
        `the embedded redis-server in ${directory} does not answer; its log is ${join(directory, 'redis.log')}`,
      );
    }
    const lock = await takeLock(join(directory, 'redis.starting'));
    if (lock) {
      try {
        if (!(await answers(directory))) await startServer(directory, giveUpAt);
      } finally {
        await lock.release();
      }
    } else {
      await delay(POLL_MS);
    }
  }
}

async function startServer(directory: string, giveUpAt: number): Promise<void> {
  const binary = await findServer();
  const log = await open(join(directory, 'redis.log'), 'a', 0o600);
  const settings = {
    port: '0',
    unixsocket: socketPath(directory),
    unixsocketperm: '700',
    dir: resolve(directory),
    appendonly: 'yes',
    appendfsync: 'always',
    'maxmemory-policy': 'noeviction',
    save: '',
    daemonize: 'no',
  };
  // Detached: a Ctrl-C in the terminal must not take the server away before its users have closed.
  const server = spawn(
    binary,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    },
  );
  const ended = new AbortController();
  server.once('exit', () => ended.abort());
  server.once('error', () => ended.abort());
  server.unref();
  await log.close();
  while (!ended.signal.aborted && Date.now() < giveUpAt) {
    if (await answers(directory)) return;
    await delay(POLL_MS);
  }
  throw new CannotStart(`${binary} does not come up; its log is ${join(directory, 'redis.log')}`);
}

async function answers(directory: string): Promise<boolean> {
  return (
    (await ask(directory, async (redis) => {
      await redis.ping();
      return true;
    })) ?? false
  );
}

/** Asks the server something over a connection of its own; null where it does not answer. */
async function ask<T>(directory: string, question: (redis: Redis) => Promise<T>): Promise<T | null> {
  const redis = new Redis({
    path: socketPath(directory),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    commandTimeout: 2000,
    connectTimeout: 2000,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await question(redis);
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

async function leave(directory: string): Promise<void> {
  await ask(directory, async (redis) => {
    // Others on their way out do not count: the last two would each wait for the other.
    await redis.client('SETNAME', LEAVING);
    const clients = String(await redis.client('LIST'))
      .trim()
      .split('\n');
    const others = clients.filter((client) => !client.includes(` name=${LEAVING} `));
    if (others.length === 0) await redis.shutdown('NOSAVE').catch(() => undefined);
  });
}

type Lock = { release: () => Promise<void> };

/** A lock file with its owner's process id; one whose owner is gone is taken over. */
async function takeLock(path: string): Promise<Lock | null> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(String(process.pid));
    await file.close();
    return { release: () => rm(path, { force: true }) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const owner = Number(await readFile(path, 'utf8').catch(() => ''));
  const ageMs = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
  if ((owner > 0 && !isAlive(owner)) || ageMs > EMBEDDED_READY_MS) await rm(path, { force: true });
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** redis-server on the PATH, else the one the project's set-up fetched. */
async function findServer(): Promise<string> {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    join(root, '.tools/bin'),
    join(root, '../.tools/bin'),
  ];
  for (const folder of folders.filter((path) => path !== '')) {
    const binary = join(folder, 'redis-server');
    if (
      await access(binary, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return binary;
  }
  throw new CannotStart('no redis-server found: install Redis 6.2 or newer, or set REDIS_URL');
}
