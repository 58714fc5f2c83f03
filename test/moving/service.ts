// The two services of a move: an API and a worker on the old Redis, and the same on the new one, a single server or a Cluster.
import type { StandInGraph } from '../chaos/stand-in-graph.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { createRedisServers, freeRedisPort } from '../support/redis-servers.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

export const TARGETS = ['single', 'cluster'] as const;
export type TargetKind = (typeof TARGETS)[number];

/** A Redis: how processes find it, and how `move` names it. */
export type RedisPlace = { environment: Record<string, string>; url: string; close: () => Promise<void> };

const MASTERS = 3;

export async function openSingle(): Promise<RedisPlace> {
  const redis = await startTestRedis();
  return { environment: { REDIS_URL: redis.url }, url: redis.url, close: redis.close };
}

async function openCluster(): Promise<RedisPlace> {
  const servers = await createRedisServers();
  const ports: number[] = [];
  for (let number = 1; number <= MASTERS; number += 1) {
    const port = await freeRedisPort();
    const name = `node-${number}`;
    const lines = ['cluster-enabled yes', `cluster-config-file ${name}.nodes`, `appenddirname ${name}`];
    await servers.start(name, port, { lines: [...lines, 'appendonly yes', 'appendfsync always', 'save ""'] });
    ports.push(port);
  }
  await servers.cluster(ports);
  const nodes = ports.map((port) => `127.0.0.1:${port}`);
  return {
    environment: { REDIS_CLUSTER: nodes.join() },
    url: `redis://${nodes[0] ?? ''}`,
    close: servers.close,
  };
}

export const openTarget = (kind: TargetKind): Promise<RedisPlace> => (kind === 'single' ? openSingle() : openCluster());

export type ServiceOptions = { graph: StandInGraph; groupKey: string; operatorToken: string };

/** What workers and the mover have to agree on. */
export const ATTEMPT_TIMEOUT_MS = '5000';

export type Running = {
  /** The API's address. */
  url: string;
  killWorker: () => Promise<void>;
  startWorker: () => Promise<void>;
  /** Defects they logged, and what they wrote to stderr. */
  surprises: () => string[];
  close: () => Promise<void>;
};

const SHOWN = 400;
/** Of a busy machine. */
const STARTED_WITHIN_MS = 90_000;

const said = ({ lines, stderr }: TestProcess, message: string) =>
  until(
    `it says “${message}”, stderr being: ${stderr()}`,
    () => lines.find(({ msg }) => msg === message),
    STARTED_WITHIN_MS,
  );

export async function startService(redis: RedisPlace, options: ServiceOptions): Promise<Running> {
  const { graph, groupKey, operatorToken } = options;
  const all: TestProcess[] = [];
  const start = (entry: string, env: Record<string, string>) => {
    const process = startProcess(entry, {
      ...redis.environment,
      HOST: '127.0.0.1',
      DEVICE_GROUP_KEYS: groupKey,
      OPERATOR_TOKEN: operatorToken,
      GRAPH_WRITES_PER_20S: '20000',
      UNCERTAIN_LOOK_AFTER_MS: '700',
      ATTEMPT_TIMEOUT_MS,
      SUPERSEDE: 'on',
      ...env,
    });
    all.push(process);
    return process;
  };
  const startWorker = async () => {
    const process = start('workers/main.ts', { WORKER_PORT: '0', ...graph.environment(graph.port) });
    await said(process, 'working');
    return process;
  };
  const killAll = () => all.forEach((process) => process.signal('SIGKILL'));
  process.once('exit', killAll);
  const api = start('src/main.ts', { PORT: '0' });
  let worker = await startWorker();
  const { port } = await said(api, 'listening');
  return {
    url: `http://127.0.0.1:${Number(port)}`,
    killWorker: () => worker.close(),
    startWorker: async () => {
      worker = await startWorker();
    },
    surprises: () =>
      all.flatMap(({ lines, stderr }) => [
        ...lines.filter(({ msg }) => msg.startsWith('defect')).map((line) => JSON.stringify(line).slice(0, SHOWN)),
        ...(stderr() === '' ? [] : [stderr().slice(0, SHOWN)]),
      ]),
    close: async () => {
      await Promise.all(all.map((process) => process.close()));
      process.off('exit', killAll);
    },
  };
}
