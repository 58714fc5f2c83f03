// Measures what idle tenants cost: start, Redis connections, memory, processor time and a scrape, of a worker and an API.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { socketPath } from '../../src/queue/redis/embedded/directory.ts';
import { openRedis } from '../../src/queue/redis/open-redis.ts';
import { cpuUs, startService, type Service } from '../ingest/machine.ts';

const { values } = parseArgs({
  options: {
    tenants: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '30' },
  },
});
const tenantCount = Number(values.tenants);
const seconds = Number(values.seconds);

const SCRAPES = 21;
/** After the start, until what it left is collected and compiled. */
const SETTLE_MS = 15_000;

type Reading = { startMs: number; connections: number; mebibytes: number; cpuMsPerS: number; scrapeMs: number };

const PROCESSES = { worker: 'workers/main.ts', api: 'src/main.ts' } as const;

const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
const dataDirectory = join(directory, 'redis');
await mkdir(dataDirectory, { mode: 0o700 });
const events = { redisTrouble: () => undefined, waitingForRedis: () => undefined, durability: () => undefined };
const redis = await openRedis(
  { kind: 'embedded', directory: dataDirectory, prefix: 'runstate' } as never,
  'work',
  events,
);
const monitor = new Redis({ path: socketPath(dataDirectory) });
try {
  say(`idle for ${seconds} s      start     connections     memory     processor     a scrape`);
  for (const name of ['worker', 'api'] as const) {
    const one = await measure(name, 1);
    const many = await measure(name, tenantCount);
    say(row(`${name}, 1 tenant`, one));
    say(row(`${name}, ${tenantCount} tenants`, many));
    const each = tenantCount - 1;
    say(
      `  for each further tenant: ${((many.mebibytes - one.mebibytes) / each).toFixed(3)} MiB, ` +
        `${((many.cpuMsPerS - one.cpuMsPerS) / each).toFixed(4)} ms/s of CPU, ` +
        `${((many.connections - one.connections) / each).toFixed(2)} connections`,
    );
  }
} finally {
  monitor.disconnect();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
}

async function measure(name: keyof typeof PROCESSES, count: number): Promise<Reading> {
  const file = await writeTenants(count);
  const others = await countConnections();
  const startedAt = performance.now();
  const service = await start(name, file);
  try {
    const startMs = performance.now() - startedAt;
    await delay(SETTLE_MS);
    const cpuBefore = cpuUs(service.pid);
    await delay(seconds * 1000);
    const cpuMsPerS = (cpuUs(service.pid) - cpuBefore) / 1000 / seconds;
    const scrapes: number[] = [];
    for (let scrape = 0; scrape < SCRAPES; scrape += 1) {
      const askedAt = performance.now();
      const text = await (await fetch(`http://127.0.0.1:${service.port}/metrics`)).text();
      scrapes.push(performance.now() - askedAt);
      if (!text.includes('runstate_deliveries')) throw new Error('the scrape has no deliveries');
    }
    return {
      startMs,
      cpuMsPerS,
      connections: (await countConnections()) - others,
      mebibytes: residentMebibytes(service.pid),
      scrapeMs: median(scrapes),
    };
  } finally {
    await service.stop();
  }
}

function start(name: keyof typeof PROCESSES, file: string): Promise<Service> {
  return startService(
    PROCESSES[name],
    {
      DATA_DIR: dataDirectory,
      TENANTS_FILE: file,
      LOG_LEVEL: 'error',
      ...(name === 'api' && { OPERATOR_TOKEN: randomBytes(24).toString('hex') }),
    },
    false,
  );
}

async function writeTenants(count: number): Promise<string> {
  const tenants = await Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const id = `tenant-${number + 1}`;
      const [secretFile, keyFile] = [join(directory, `${id}-secret`), join(directory, `${id}-devices`)];
      await writeFile(secretFile, randomBytes(24).toString('hex'), { mode: 0o600 });
      await writeFile(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
      return {
        id,
        azure: { tenantId: randomUUID(), clientId: randomUUID(), clientSecretFile: secretFile },
        devices: { groupKeyFiles: [keyFile] },
      };
    }),
  );
  const file = join(directory, `tenants-${count}.json`);
  await writeFile(file, JSON.stringify({ tenants }));
  return file;
}

async function countConnections(): Promise<number> {
  return String(await monitor.client('LIST'))
    .trim()
    .split('\n').length;
}

function residentMebibytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function row(what: string, { startMs, connections, mebibytes, cpuMsPerS, scrapeMs }: Reading): string {
  return (
    `${what.padEnd(20)} ${(startMs / 1000).toFixed(1).padStart(6)} s ${String(connections).padStart(12)} ` +
    `${mebibytes.toFixed(0).padStart(12)} MiB ${cpuMsPerS.toFixed(1).padStart(8)} ms/s ${scrapeMs.toFixed(0).padStart(9)} ms`
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
