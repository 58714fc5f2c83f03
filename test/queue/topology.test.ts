// The same queue on Redis Cluster and behind Sentinel, with real servers: every script finds its keys, a failover loses nothing.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RedisConfig } from '../../src/redis-config.ts';
import { createEvents } from '../../src/events.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createConsumer } from '../../src/queue/consumer.ts';
import { createPacer } from '../../src/queue/pacer.ts';
import type { TenantQueue } from '../../src/queue/tenant.ts';
import { aRun, openTestQueue, POLICY } from '../support/tenant.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

let directory: string;
let servers: ChildProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-topology-'));
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map(kill));
  await rm(directory, { recursive: true, force: true });
});

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  // A cluster node's bus listens 10,000 ports above.
  return port < 50_000 ? port : freePort();
}

async function startServer(name: string, port: number, lines: string[], ...args: string[]): Promise<ChildProcess> {
  const file = join(directory, `${name}.conf`);
  await writeFile(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${directory}`, ...lines, ''].join('\n'));
  const server = spawn('redis-server', [file, ...args], { stdio: 'ignore' });
  servers.push(server);
  await until(`${name} answers`, () =>
    cli(port, 'PING').then(
      (answer) => answer.includes('PONG'),
      () => false,
    ),
  );
  return server;
}

const cli = async (port: number, ...command: string[]) =>
  (await run('redis-cli', ['-p', String(port), ...command])).stdout;

async function deliverAll(queue: TenantQueue, ids: string[]): Promise<void> {
  let number = 0;
  const consumer = createConsumer({
    ...queue,
    pacer: createPacer(queue.budget),
    deliver: () =>
      Promise.resolve({
        kind: 'created',
        deviceRunStateId: `record-${number++}`,
        graph: { status: 201, requestId: 'q' },
      }),
    events: createEvents(createLog('worker', 'silent'), createMetrics()),
    policy: POLICY,
    concurrency: 5,
    clock: Date.now,
    random: Math.random,
  });
  await until(
    'all are delivered',
    async () =>
      (await Promise.all(ids.map((id) => queue.deliveries.find(id)))).every((found) => found?.status === 'delivered'),
    20_000,
  );
  await consumer.close();
}

async function acceptAll(queue: TenantQueue, numbers: number[]): Promise<string[]> {
  const answers = await Promise.all(numbers.map((number) => queue.deliveries.accept(aRun(number), 1)));
  return answers.map((answer) => (answer.kind === 'conflict' ? '' : answer.delivery.id));
}

test('a cluster of three · keeps a tenant in one slot · so everything works there', async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  for (const port of ports) {
    await startServer(`node-${port}`, port, [
      'cluster-enabled yes',
      `cluster-config-file nodes-${port}.conf`,
      'appendonly no',
      'save ""',
    ]);
  }
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
  const config: RedisConfig = {
    kind: 'cluster',
    nodes: ports.map((port) => ({ host: '127.0.0.1', port })),
    prefix: 'runstate',
  };
  await until('the cluster agrees', async () =>
    (await Promise.all(ports.map((port) => cli(port, 'CLUSTER', 'INFO')))).every((info) =>
      info.includes('cluster_state:ok'),
    ),
  );
  const queue = await openTestQueue({ config });
  try {
    await deliverAll(queue, await acceptAll(queue, [1, 2, 3, 4, 5]));
    expect(await queue.deliveries.counts()).toMatchObject({ delivered: 5, queued: 0 });
    expect((await queue.deliveries.accept(aRun(1), 1)).kind).toBe('duplicate');
  } finally {
    await queue.close();
  }
}, 60_000);

test('a master behind Sentinel dies · its replica takes over · and what was accepted is delivered', async () => {
  const [master, replica, sentinel] = [await freePort(), await freePort(), await freePort()];
  const first = await startServer('master', master, [
    'appendonly yes',
    'appendfsync always',
    'save ""',
    'appenddirname master-aof',
    'repl-diskless-sync-delay 0',
  ]);
  await startServer('replica', replica, [
    `replicaof 127.0.0.1 ${master}`,
    'appendonly yes',
    'save ""',
    'appenddirname replica-aof',
  ]);
  await startServer(
    'sentinel',
    sentinel,
    [
      `sentinel monitor runs 127.0.0.1 ${master} 1`,
      'sentinel down-after-milliseconds runs 1000',
      'sentinel failover-timeout runs 3000',
    ],
    '--sentinel',
  );
  await until(
    'the replica is known',
    async () => (await cli(sentinel, 'SENTINEL', 'replicas', 'runs')).includes(String(replica)),
    20_000,
  );
  const config: RedisConfig = {
    kind: 'sentinel',
    sentinels: [{ host: '127.0.0.1', port: sentinel }],
    name: 'runs',
    prefix: 'runstate',
  };
  const queue = await openTestQueue({ config });
  try {
    const before = await acceptAll(queue, [1, 2, 3]);
    await until(
      'the replica has it',
      async () => (await cli(master, 'DBSIZE')) === (await cli(replica, 'DBSIZE')),
      20_000,
    );
    await kill(first);
    // As a device does: what was not answered is sent again.
    const after = await until('the replica accepts', () => acceptAll(queue, [4, 5]).catch(() => null), 40_000);
    await deliverAll(queue, [...before, ...after]);
    expect(await queue.deliveries.counts()).toMatchObject({ delivered: 5, queued: 0 });
  } finally {
    await queue.close();
  }
}, 60_000);
