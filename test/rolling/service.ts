// The service of a rolling update: an API behind a load balancer and two workers on one Redis, each replaced by itself.
import { connect } from 'node:net';
import { join } from 'node:path';
import { createProxy } from '../chaos/proxy.ts';
import type { StandInGraph } from '../chaos/stand-in-graph.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

export const PARTIES = ['api', 'worker-1', 'worker-2'] as const;
export type Party = (typeof PARTIES)[number];

export type ServiceOptions = {
  graph: StandInGraph;
  groupKey: string;
  operatorToken: string;
  drainMs: number;
};

export type Service = {
  /** The load balancer's address. */
  url: string;
  /**
   * Replaces a process by one of the version in this directory. A new API is ready before the old one is asked to stop, and new
   * connections go to it once the old one says that it is not ready; the order of workers is free.
   */
  replace: (party: Party, directory: string, order: 'new first' | 'old first') => Promise<void>;
  /** What processes did that nobody asked for, and the defects they logged. */
  surprises: () => string[];
  close: () => Promise<void>;
};

type Running = { process: TestProcess; port: number };

const READY_WITHIN_MS = 30_000;
const SHOWN = 400;

export async function openService(directory: string, options: ServiceOptions): Promise<Service> {
  const { graph, groupKey, operatorToken, drainMs } = options;
  const redis = await startTestRedis();
  const all: { party: Party; process: TestProcess }[] = [];
  const found: string[] = [];
  const killAll = () => {
    for (const { process } of all) process.signal('SIGKILL');
    redis.signal('SIGKILL');
  };
  process.once('exit', killAll);

  async function start(party: Party, version: string): Promise<Running> {
    const isApi = party === 'api';
    const process = startProcess(join(version, isApi ? 'src/main.ts' : 'workers/main.ts'), {
      ...(isApi ? { PORT: '0', DRAIN_MS: String(drainMs) } : { WORKER_PORT: '0', ...graph.environment(graph.port) }),
      HOST: '127.0.0.1',
      REDIS_URL: redis.url,
      DEVICE_GROUP_KEYS: groupKey,
      OPERATOR_TOKEN: operatorToken,
      GRAPH_WRITES_PER_20S: '20000',
      UNCERTAIN_LOOK_AFTER_MS: '700',
      SUPERSEDE: 'on',
      SHUTDOWN_GRACE_MS: '10000',
    });
    all.push({ party, process });
    const { port } = await process.line(isApi ? 'listening' : 'working');
    const running = { process, port: Number(port) };
    await until(`${party} is ready`, () => isReady(running.port), READY_WITHIN_MS);
    return running;
  }

  async function stop(party: Party, { process, port }: Running, onUnready: () => void): Promise<void> {
    process.signal('SIGTERM');
    if (party === 'api') {
      await until('the API says that it is not ready', async () => !(await isReady(port)));
      // Whoever has not noticed yet is still answered.
      if (!(await isAnswering(port))) found.push('the API took no connections as soon as it was not ready');
      onUnready();
    }
    const code = await process.ended;
    if (code !== 0) found.push(`${party} ended with ${String(code)} when it was asked to stop`);
  }

  const running = Object.fromEntries(
    await Promise.all(PARTIES.map(async (party) => [party, await start(party, directory)] as const)),
  ) as Record<Party, Running>;
  const front = await createProxy(() => connect(running.api.port, '127.0.0.1'));

  return {
    url: `http://127.0.0.1:${front.port}`,
    replace: async (party, version, order) => {
      const old = running[party];
      if (order === 'old first' && party !== 'api') await stop(party, old, () => undefined);
      const fresh = await start(party, version);
      running[party] = fresh;
      const lead = () => front.lead(() => connect(fresh.port, '127.0.0.1'));
      if (order === 'new first' || party === 'api') await stop(party, old, lead);
    },
    surprises: () => [
      ...found,
      ...all.flatMap(({ party, process }) => [
        ...process.lines
          .filter(({ msg }) => /^defect|^left alone|grace period over/.test(msg))
          .map((line) => `${party}: ${JSON.stringify(line).slice(0, SHOWN)}`),
        ...(process.stderr() === '' ? [] : [`${party}: ${process.stderr().slice(0, SHOWN)}`]),
      ]),
    ],
    close: async () => {
      await Promise.all(all.map(({ process }) => process.close()));
      await front.close();
      await redis.close();
      process.off('exit', killAll);
    },
  };
}

const isReady = async (port: number) => (await ask(port, '/readyz')) === 200;
const isAnswering = async (port: number) => (await ask(port, '/livez')) === 200;

/** Over a connection of its own; null if there is none. */
async function ask(port: number, path: string): Promise<number | null> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } }).catch(() => null);
  return answer && answer.status;
}
