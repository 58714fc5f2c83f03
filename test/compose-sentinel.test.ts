// The example with Sentinels, by the commands of its containers: a failover is not undone when all containers start anew.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { freeRedisPort } from './support/redis-servers.ts';
import { until } from './support/until.ts';

type Service = { entrypoint?: string[]; command?: string[] };
const readServices = (file: string) =>
  (parse(readFileSync(file, 'utf8'), { merge: true }) as { services: Record<string, Service> }).services;
const services = readServices('deploy/compose/sentinel.yml');
const base = readServices('docker-compose.yml');

const NODES = ['redis', 'redis-2', 'redis-3'];
const SENTINELS = ['sentinel-1', 'sentinel-2', 'sentinel-3'];
const ALL = [...NODES, ...SENTINELS];
const WELL_WITHIN_MS = 60_000;

let directory: string;
const ports = new Map<string, number>();
const running = new Map<string, ChildProcess>();
const portOf = (name: string) => ports.get(name) ?? 0;

/** What a container runs, with its volume, its port and the names of its network as this machine has them. */
function commandOf(name: string): string[] {
  const { entrypoint = [], command = base[name]?.command ?? [] } = services[name] ?? {};
  return [...entrypoint, ...command].map((part) =>
    part
      .replaceAll('$$', '$')
      .replaceAll('/data', join(directory, name))
      .replaceAll('docker-entrypoint.sh ', '')
      .replaceAll('redis 6379', `127.0.0.1 ${portOf('redis')}`)
      .replaceAll('down-after-milliseconds bridge 5000', 'down-after-milliseconds bridge 3000')
      // Sentinels that could not agree try again after twice this time.
      .replaceAll('failover-timeout bridge 10000', 'failover-timeout bridge 3000')
      .replace(/(exec redis-server \S+)/, `$1 --port ${portOf(name)} --bind 127.0.0.1 --dir ${join(directory, name)}`)
      .replace(/--replica-announce-ip \S+/, '--replica-announce-ip 127.0.0.1'),
  );
}

async function ask(name: string, ...command: string[]): Promise<string> {
  return (await promisify(execFile)('redis-cli', ['-p', String(portOf(name)), ...command])).stdout.trim();
}

function start(name: string): void {
  const [file = '', ...args] = commandOf(name);
  running.set(name, spawn(file, args, { stdio: 'ignore' }));
}

async function kill(name: string): Promise<void> {
  const server = running.get(name);
  running.delete(name);
  if (!server || server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

/** The node that every Sentinel takes for the primary, if so many replicas follow it and the Sentinels know all nodes; else null. */
async function findPrimary(replicas: number): Promise<string | null> {
  const named = new Set<string>();
  for (const name of SENTINELS) {
    named.add(await ask(name, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'bridge').catch(() => name));
    // They ask the primary every ten seconds. A replica they do not know of follows no other one after a failover.
    if (!/slaves=2,sentinels=3/.test(await ask(name, 'INFO', 'sentinel').catch(() => ''))) return null;
  }
  const primary = NODES.find((name) => named.has(`127.0.0.1\n${portOf(name)}`));
  if (primary === undefined || named.size > 1) return null;
  const replication = await ask(primary, 'INFO', 'replication').catch(() => '');
  const followers = replication.match(/^slave\d+:.*state=online/gm) ?? [];
  return replication.includes('role:master') && followers.length === replicas ? primary : null;
}

const untilPrimary = (replicas: number) =>
  until(`${replicas} replicas follow one primary`, () => findPrimary(replicas), WELL_WITHIN_MS);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-example-'));
  for (const name of ALL) {
    ports.set(name, await freeRedisPort());
    await mkdir(join(directory, name));
  }
});

afterEach(async () => {
  await Promise.all(ALL.map(kill));
  await rm(directory, { recursive: true, force: true });
});

test('a failover, then all containers start anew · the promoted one stays the primary · and what it took is kept', async () => {
  for (const name of ALL) start(name);
  expect(await untilPrimary(2)).toBe('redis');
  await kill('redis');
  const promoted = await untilPrimary(1);
  expect(promoted).not.toBe('redis');
  expect(await ask(promoted, 'SET', 'accepted', 'since')).toBe('OK');

  await Promise.all(ALL.map(kill));
  for (const name of ALL) start(name);
  expect(await untilPrimary(2)).toBe(promoted);
  for (const name of NODES) await until(`${name} has it`, async () => (await ask(name, 'GET', 'accepted')) === 'since');
}, 240_000);
