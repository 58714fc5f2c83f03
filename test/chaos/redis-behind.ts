// The Redis of a run: one of the campaign's own, with a proxy before it; or the one the processes start themselves, of which there must be one.
import { mkdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { serversIn } from '../support/embedded.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

export type RedisBehind = {
  /** How a process with this port of the proxy's finds it. */
  environment: (proxyPort: number) => Record<string, string>;
  connect: () => Socket;
  signal: (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') => void;
  kill: () => Promise<void>;
  start: () => Promise<void>;
  forgetScripts: () => Promise<void>;
  /** What must never be and was. */
  surprises: string[];
  /** What is left of one that should be gone by itself when the processes are. */
  leftovers: () => Promise<string[]>;
  close: () => Promise<void>;
};

export async function openRedisApart(): Promise<RedisBehind> {
  const redis = await startTestRedis();
  const killRedis = () => redis.signal('SIGKILL');
  process.once('exit', killRedis);
  return {
    environment: (proxyPort) => ({ REDIS_URL: `redis://127.0.0.1:${proxyPort}` }),
    connect: () => connect(`${redis.directory}/redis.sock`),
    signal: redis.signal,
    kill: redis.kill,
    start: redis.start,
    forgetScripts: async () => {
      await redis.client.script('FLUSH').catch(() => undefined);
    },
    surprises: [],
    leftovers: () => Promise.resolve([]),
    close: async () => {
      await redis.close();
      process.off('exit', killRedis);
    },
  };
}

const COUNTED_EVERY_MS = 50;
const GONE_WITHIN_MS = 15_000;

/** Nobody starts this one but the processes; it must be the only one at every moment, and gone soon after the last of them. */
export async function openEmbeddedRedis(parent: string): Promise<RedisBehind> {
  const directory = join(parent, 'data');
  await mkdir(directory);
  const surprises: string[] = [];
  const counting = setInterval(() => {
    const servers = serversIn(directory);
    if (servers.length > 1 && surprises.length === 0) surprises.push(`${servers.length} redis-servers at once`);
  }, COUNTED_EVERY_MS);
  const signal: RedisBehind['signal'] = (name) => {
    for (const pid of serversIn(directory)) process.kill(pid, name);
  };
  return {
    environment: () => ({ DATA_DIR: directory }),
    connect: () => connect(join(directory, 'redis.sock')),
    signal,
    kill: () => {
      signal('SIGKILL');
      return Promise.resolve();
    },
    start: () => Promise.resolve(),
    forgetScripts: () => Promise.resolve(),
    surprises,
    leftovers: () =>
      until('the server is gone', () => serversIn(directory).length === 0, GONE_WITHIN_MS).then(
        () => [],
        () => ['a redis-server stays although nobody uses it'],
      ),
    close: () => {
      clearInterval(counting);
      signal('SIGKILL');
      return Promise.resolve();
    },
  };
}
