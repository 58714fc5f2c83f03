// A private redis-server for one test file, with its own socket and directory; can be killed and is removed afterwards.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedisConfig } from '../../src/config/redis.ts';
import { toSecret } from '../../src/config/secret.ts';
import { REDIS_SERVER } from './redis-programs.ts';

export type TestRedis = {
  directory: string;
  url: string;
  config: RedisConfig;
  /** The test's own connection. */
  client: Redis;
  /** The number of keys, not counting the clients' continuous write probe. */
  countStored: () => Promise<number>;
  /** Restarts it with additional settings. */
  start: (...more: string[]) => Promise<void>;
  signal: (signal: NodeJS.Signals) => void;
  /** Kills it as in a crash, and waits until it is gone. */
  kill: () => Promise<void>;
  close: () => Promise<void>;
};

/** Starts redis-server with every write fsynced, as recommended for production. */
export async function startTestRedis(...settings: string[]): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-redis-'));
  const socket = join(directory, 'redis.sock');
  let server: ChildProcess | null = null;

  async function start(...more: string[]): Promise<void> {
    server = spawn(
      REDIS_SERVER,
      [
        '--port',
        '0',
        '--unixsocket',
        socket,
        '--dir',
        directory,
        '--save',
        '',
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
        '--maxmemory-policy',
        'noeviction',
        ...settings,
        ...more,
      ],
      { stdio: 'ignore' },
    );
    const started = server;
    const failed = Promise.race([once(started, 'error'), once(started, 'exit')]).then(() => {
      throw new Error(`${REDIS_SERVER} did not start, or is not on the PATH`);
    });
    await Promise.race([untilAnswers(socket), failed]);
  }

  async function kill(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  }

  await start();
  const client = new Redis({ path: socket, retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  return {
    directory,
    url: `unix:${socket}`,
    config: { kind: 'single', url: toSecret(`unix:${socket}`), prefix: 'runstate' },
    client,
    countStored: async () => (await client.keys('*')).filter((key) => !key.endsWith(':probe')).length,
    start,
    signal: (signal) => void server?.kill(signal),
    kill,
    close: async () => {
      client.disconnect();
      server?.kill('SIGCONT');
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function untilAnswers(socket: string): Promise<void> {
  while (!(await answers(socket))) await delay(10);
}

async function answers(socket: string): Promise<boolean> {
  const probe = new Redis({ path: socket, lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  probe.on('error', () => undefined);
  try {
    await probe.connect();
    await probe.ping();
    return true;
  } catch {
    return false;
  } finally {
    probe.disconnect();
  }
}
