// Measures the memory of a delivery in Redis: bytes per waiting, delivered and dead delivery, relative to its run result.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseConfig } from '../src/config/config.ts';
import type { Outcome } from '../src/domain/delivery.ts';
import type { RunResult } from '../src/domain/submission/run-result.ts';
import { createEvents } from '../src/telemetry/events.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { startConsumer } from '../test/support/consume.ts';
import type { Tenant } from '../src/queue/tenant.ts';
import { openOwnTenant } from '../test/support/tenant.ts';

const { values } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '10000' },
    bytes: { type: 'string', default: '1024' },
  },
});
const deliveries = Number(values.deliveries);
const runResultBytes = Number(values.bytes);

const AT_ONCE = 100;
const CONFIGURATION_ID = '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81';

/** Graph's outcome that brings a delivery into each state; for `waiting` no worker runs. */
const FATES: Record<'waiting' | 'delivered' | 'dead', (() => Outcome) | null> = {
  waiting: null,
  delivered: () => ({
    kind: 'created',
    deviceRunStateId: randomUUID(),
    graph: { status: 201, requestId: randomUUID() },
  }),
  dead: () => ({
    kind: 'rejected',
    status: 404,
    detail: '404 ResourceNotFound The hardware configuration does not exist.',
    graph: { status: 404, code: 'ResourceNotFound', requestId: randomUUID() },
  }),
};

const lines: string[] = [];
for (const fate of ['waiting', 'delivered', 'dead'] as const) {
  const bytes = await measure(fate);
  lines.push(
    `${fate.padEnd(9)}  ${String(bytes).padStart(5)} bytes each   ${(bytes / runResultBytes).toFixed(2)} times`,
  );
}
say(`${deliveries} run results of ${runResultBytes} bytes each take in Redis, all indexes included:`);
lines.forEach(say);

/** Brings deliveries into one state, in their own Redis. @returns the memory of one */
async function measure(fate: keyof typeof FATES): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
  const settings = { DATA_DIR: directory, DEVICE_GROUP_KEYS: randomBytes(32).toString('base64') };
  const config = parseConfig({ ...settings, GRAPH_WRITES_PER_20S: '1000000' }, 'api');
  const tenant = await openOwnTenant(config);
  try {
    await tenant.redis.ping();
    const before = await usedMemory(tenant);
    for (let first = 0; first < deliveries; first += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, deliveries - first) }, (_, index) => first + index);
      await Promise.all(numbers.map((number) => tenant.deliveries.accept(aRun(number), Date.now())));
    }
    const outcome = FATES[fate];
    if (outcome) {
      const consumer = startConsumer(tenant, {
        deliver: () => Promise.resolve(outcome()),
        events: createEvents(createLog('bench', 'silent'), createMetrics()),
        policy: config.delivery.policy,
        concurrency: AT_ONCE,
        clock: Date.now,
        random: Math.random,
      });
      while ((await tenant.deliveries.counts())[fate] < deliveries) await delay(100);
      await consumer.close();
    }
    return Math.round(((await usedMemory(tenant)) - before) / deliveries);
  } finally {
    await tenant.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A run result whose JSON has the requested length. */
function aRun(number: number): RunResult {
  const name = `BER-LAT-${String(number).padStart(6, '0')}`;
  const run: RunResult = {
    runId: randomUUID(),
    deviceId: name,
    hardwareConfigurationId: CONFIGURATION_ID,
    deviceName: name,
    osVersion: '10.0.26100.2314',
    policyVersion: 4,
    completedAt: '2026-11-23T10:00:00.1234567+01:00',
    exitCode: 0,
    output: '',
  };
  const room = runResultBytes - Buffer.byteLength(JSON.stringify(run));
  if (room < 0) throw new Error('--bytes is less than a run result without output takes');
  return { ...run, output: randomBytes(room).toString('base64').slice(0, room) };
}

async function usedMemory({ redis }: Tenant): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
