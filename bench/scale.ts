// Measures what a run result costs from submission to Graph, by number of tenants and processes: the figures of docs/scale.md.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { submit } from '../src/device/device-client.ts';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { startTestRedis, type TestRedis } from '../test/support/redis.ts';
import { cpuUs, redisUsed, rssBytes, startService, type Service } from './ingest/machine.ts';
import { openTenant, toEnvironment, type BenchTenant } from './tenants/bench-tenants.ts';

const { values } = parseArgs({
  options: {
    /** Run results of each measurement, of all tenants together. */
    results: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
  },
});
const results = Number(values.results);

/** Ten times what Graph allows, so that a measurement does not take all day. With much more, far more would be promoted at a time than ever is. */
const WRITES_PER_20S = 1000;
const SUBMITTED_AT_ONCE = 16;

type Setting = { tenants: number; apis: number; workers: number };

const SETTINGS: readonly Setting[] = [
  { tenants: 1, apis: 1, workers: 1 },
  { tenants: 2, apis: 1, workers: 1 },
  { tenants: 4, apis: 1, workers: 1 },
  { tenants: 1, apis: 2, workers: 2 },
  { tenants: 4, apis: 2, workers: 2 },
];

/** Of one run result: microseconds of processor time, commands, bytes that stay; of the service: connections, memory. */
type Costs = {
  apiUs: number;
  workerUs: number;
  redisUs: number;
  commands: number;
  bytes: number;
  connections: number;
  apiMib: number;
  workerMib: number;
};

say('tenants  APIs  workers    API µs  worker µs  Redis µs  commands  bytes  connections  API MiB  worker MiB');
for (const setting of SETTINGS) {
  const rounds: Costs[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) rounds.push(await measure(setting));
  const median = (of: keyof Costs) =>
    rounds.map((costs) => costs[of]).toSorted((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? 0;
  const cells = [
    [setting.tenants, 7],
    [setting.apis, 6],
    [setting.workers, 9],
    [median('apiUs'), 10],
    [median('workerUs'), 11],
    [median('redisUs'), 10],
    [median('commands'), 10],
    [median('bytes'), 7],
    [median('connections'), 13],
    [median('apiMib'), 9],
    [median('workerMib'), 12],
  ] as const;
  say(cells.map(([value, width]) => value.toFixed(0).padStart(width)).join(''));
}
process.exit(0);

async function measure({ tenants: count, apis: apiCount, workers: workerCount }: Setting): Promise<Costs> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
  const redis = await startTestRedis();
  const tenants: BenchTenant[] = [];
  const services: Service[] = [];
  try {
    for (let number = 0; number < count; number += 1)
      tenants.push(
        await openTenant(`t${number}`, { seed: 1, tlsDirectory: directory, limiter: { writesPer20s: WRITES_PER_20S } }),
      );
    const environment = { ...(await toEnvironment(tenants, WRITES_PER_20S, directory)), REDIS_URL: redis.url };
    const start = (main: string, number: number) =>
      Promise.all(Array.from({ length: number }, () => startService(main, environment, false)));
    const [apis, workers] = [await start('src/main.ts', apiCount), await start('workers/main.ts', workerCount)];
    services.push(...apis, ...workers);
    // Opens connections, gets tokens, compiles what is hot.
    await deliver(tenants, apis, results / 4);
    const before = await readUse(redis, apis, workers);
    await deliver(tenants, apis, results);
    const after = await readUse(redis, apis, workers);
    const each = (of: 'apiUs' | 'workerUs' | 'redisUs' | 'commands' | 'bytes') => (after[of] - before[of]) / results;
    return {
      apiUs: each('apiUs'),
      workerUs: each('workerUs'),
      redisUs: each('redisUs'),
      commands: each('commands'),
      bytes: each('bytes'),
      connections: after.connections,
      apiMib: mean(apis.map(({ pid }) => rssBytes(pid))) / 1_048_576,
      workerMib: mean(workers.map(({ pid }) => rssBytes(pid))) / 1_048_576,
    };
  } finally {
    for (const service of services) await service.stop();
    for (const { sandbox } of tenants) await sandbox.close();
    await redis.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function readUse({ client }: TestRedis, apis: readonly Service[], workers: readonly Service[]) {
  const sum = (services: readonly Service[]) => services.reduce((total, { pid }) => total + cpuUs(pid), 0);
  const info = await client.info();
  const read = (field: string) => Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1]);
  const { cpuUs: redisUs, bytes } = await redisUsed(client);
  return {
    apiUs: sum(apis),
    workerUs: sum(workers),
    redisUs,
    bytes,
    commands: read('total_commands_processed'),
    // All but that of the measurement.
    connections: read('connected_clients') - 1,
  };
}

/** Submits single run results, spread over tenants and APIs, and waits until Graph has all of them. */
async function deliver(tenants: readonly BenchTenant[], apis: readonly Service[], count: number): Promise<void> {
  const countRecords = () => tenants.reduce((total, { sandbox }) => total + sandbox.records().length, 0);
  const expected = countRecords() + count;
  let submitted = 0;
  await Promise.all(
    Array.from({ length: SUBMITTED_AT_ONCE }, async () => {
      while (submitted < count) {
        const number = (submitted += 1);
        const tenant = tenants[number % tenants.length];
        const api = apis[Math.floor(number / tenants.length) % apis.length];
        if (tenant && api) await report(tenant, api.port);
      }
    }),
  );
  const giveUpAt = Date.now() + 300_000;
  while (countRecords() < expected) {
    if (Date.now() > giveUpAt) throw new Error('not delivered within five minutes');
    await delay(100);
  }
}

async function report({ id, groupKey, sandbox }: BenchTenant, port: number): Promise<void> {
  const runId = randomUUID();
  const deviceId = `LAPTOP-${runId}`;
  const deviceKey = deriveDeviceKey(groupKey, deviceId).toString('base64');
  const runResult = {
    runId,
    deviceId,
    hardwareConfigurationId: sandbox.configurationIds[0] ?? '',
    deviceName: deviceId,
    policyVersion: 1,
    completedAt: new Date().toISOString(),
    exitCode: 0,
    output: 'x'.repeat(500),
  };
  const device = { baseUrl: `http://127.0.0.1:${port}`, deviceId, tenant: id, deviceKey };
  const { kind } = await submit(runResult, device);
  if (kind !== 'accepted') throw new Error(`a submission was ${kind}`);
}

function mean(all: readonly number[]): number {
  return all.reduce((total, one) => total + one, 0) / all.length;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
