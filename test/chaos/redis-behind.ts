// The Redis of a run: one of the campaign's own, with a proxy before it; or the one the processes start themselves, of which there must be one.
import { mkdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { documentedRules } from '../support/redis-rights.ts';
import { serversIn } from '../support/embedded.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import type { Disturbance, Party, TOPOLOGY_KINDS } from './plan.ts';
import { createProxy } from './proxy.ts';
import { until } from '../support/until.ts';

export type RedisBehind = {
  /** How a process with this port of the proxy's finds it. */
  environment: (proxyPort: number, party: Party) => Record<string, string>;
  /** What its clients have to trust. */
  caPem?: string | null;
  connect: () => Socket;
  signal: (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') => void;
  kill: () => Promise<void>;
  start: () => Promise<void>;
  forgetScripts: () => Promise<void>;
  /** The replica becomes the primary and the other way round; new connections lead to it, open ones stay where they are. */
  promote: () => Promise<void>;
  /** How it is disturbed where it has several servers. */
  ways?: Partial<Record<(typeof TOPOLOGY_KINDS)[number], Way>>;
  /** Resolves once all its servers are well. */
  mend?: () => Promise<void>;
  /** What must never be and was. */
  surprises: string[];
  /** What is left of one that should be gone by itself when the processes are. */
  leftovers: () => Promise<string[]>;
  close: () => Promise<void>;
};

/** How a disturbance begins and ends. */
export type Way = Partial<Record<'end', Act>> & { begin: Act };
type Act = (party: Party, disturbance: Disturbance) => unknown;

const USER = 'bridge';
const PASSWORD = 'campaign';
/** A replica's first copy is not put off to wait for other replicas. */
const AT_ONCE = ['--repl-diskless-sync-delay', '0'];
const CAUGHT_UP_WITHIN_MS = 2000;

/** @param isRestricted the processes come as the user that the documentation describes, with no more rights */
export async function openRedisApart(isRestricted: boolean): Promise<RedisBehind> {
  const user = isRestricted ? ['--user', USER, ...documentedRules(PASSWORD)] : [];
  const servers = await Promise.all([startTestRedis(...AT_ONCE, ...user), startTestRedis(...AT_ONCE, ...user)]);
  // Replication needs a port, and both listen on sockets.
  const ports = await Promise.all(
    servers.map(({ directory }) => createProxy(() => connect(`${directory}/redis.sock`))),
  );
  let first: 0 | 1 = 0;
  let isUp = true;
  const primary = () => servers[first];
  const follow = async (replica: 0 | 1, of: 0 | 1) => {
    await servers[replica].client.replicaof('127.0.0.1', ports[of]?.port ?? 0);
  };
  await follow(1, 0);

  const killAll = () => servers.forEach((server) => server.signal('SIGKILL'));
  process.once('exit', killAll);
  return {
    environment: (proxyPort) => ({
      REDIS_URL: `redis://${isRestricted ? `${USER}:${PASSWORD}@` : ''}127.0.0.1:${proxyPort}`,
    }),
    connect: () => connect(`${primary().directory}/redis.sock`),
    signal: (name) => (name === 'SIGCONT' ? servers.forEach((server) => server.signal(name)) : primary().signal(name)),
    kill: () => {
      isUp = false;
      return primary().kill();
    },
    start: async () => {
      await primary().start();
      isUp = true;
    },
    forgetScripts: async () => {
      await primary()
        .client.script('FLUSH')
        .catch(() => undefined);
    },
    promote: async () => {
      if (!isUp) return;
      const [old, next] = [first, first === 0 ? 1 : 0] as const;
      await servers[old].client.call('CLIENT', 'PAUSE', String(2 * CAUGHT_UP_WITHIN_MS), 'WRITE');
      // A replica that does not follow yet stays one.
      if (await hasCaughtUp(servers[next], servers[old])) {
        first = next;
        await servers[next].client.replicaof('NO', 'ONE');
        await follow(old, next);
      }
      await servers[old].client.call('CLIENT', 'UNPAUSE');
    },
    surprises: [],
    leftovers: () => Promise.resolve([]),
    close: async () => {
      await Promise.all(ports.map((port) => port.close()));
      await Promise.all(servers.map((server) => server.close()));
      process.off('exit', killAll);
    },
  };
}

/**
 * Whether the replica has all data of its primary, which accepts no more writes, and keeps it on disk: after a copy of the
 * primary it rewrites its append-only file, and until that is done a kill loses everything since.
 */
const hasCaughtUp = (replica: TestRedis, of: TestRedis): Promise<boolean> =>
  until(
    'the replica has caught up',
    async () => {
      const [copy, original, disk] = await Promise.all([
        replica.client.info('replication'),
        of.client.info('replication'),
        replica.client.info('persistence'),
      ]);
      const [at, end] = [/slave_repl_offset:(\d+)/.exec(copy), /master_repl_offset:(\d+)/.exec(original)];
      const isOnDisk = /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(disk);
      return isOnDisk && copy.includes('master_link_status:up') && at !== null && at[1] === end?.[1];
    },
    CAUGHT_UP_WITHIN_MS,
  ).then(
    () => true,
    () => false,
  );

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
    promote: () => Promise.resolve(),
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
