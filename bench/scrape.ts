// What a scrape costs with a long backlog: fills a Redis of its own with deliveries that wait, then asks /metrics over HTTP.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseConfig } from '../src/config/config.ts';
import { createHealthApp } from '../src/http/app.ts';
import { listen } from '../src/http/server.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { openTenantQueue, type TenantQueue } from '../src/queue/tenant.ts';
import { createHealth } from '../src/api/readiness.ts';

const { values } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '1000000' },
    scrapes: { type: 'string', default: '200' },
  },
});
const deliveries = Number(values.deliveries);
const scrapes = Number(values.scrapes);

const AT_ONCE = 1000;
const CONFIGURATION_ID = '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81';

const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
const config = parseConfig({ DATA_DIR: directory, DEVICE_GROUP_KEYS: randomBytes(32).toString('base64') }, 'api');
const queue = await openTenantQueue(config, 'work', () => undefined);
try {
  // Only how much is there matters here: nothing of it goes to disk.
  await queue.redis.config('SET', 'appendonly', 'no');
  say(await measure(queue, 0));
  await fill(queue);
  say(await measure(queue, deliveries));
} finally {
  await queue.close();
  await rm(directory, { recursive: true, force: true });
}

async function fill(queue: TenantQueue): Promise<void> {
  for (let first = 0; first < deliveries; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, deliveries - first) }, (_, index) => first + index);
    await Promise.all(numbers.map((number) => queue.deliveries.accept(aRun(number), Date.now())));
  }
}

/** Scrapes one after another. @returns what they took, in words */
async function measure(queue: TenantQueue, expected: number): Promise<string> {
  const health = createHealth(queue, createMetrics(), Date.now);
  const app = createHealthApp({
    ...health,
    isAlive: () => true,
    onAnswer: () => undefined,
    onDefect: (error) => {
      throw error;
    },
  });
  const listener = await listen(app, '127.0.0.1', 0, () => undefined);
  const url = `http://127.0.0.1:${listener.port}/metrics`;
  const tookMs: number[] = [];
  try {
    for (let scrape = 0; scrape < scrapes; scrape += 1) {
      const startedAt = performance.now();
      const text = await (await fetch(url)).text();
      tookMs.push(performance.now() - startedAt);
      if (!text.includes(`runstate_deliveries{status="queued"} ${expected}\n`)) throw new Error(text);
    }
  } finally {
    await listener.close();
  }
  tookMs.sort((a, b) => a - b);
  const within = (share: number) => (tookMs[Math.ceil(scrapes * share) - 1] ?? 0).toFixed(1);
  return `${expected} queued: a scrape takes ${within(0.5)} ms (median), ${within(0.99)} ms (99 %)`;
}

function aRun(number: number) {
  const name = `BER-LAT-${number}`;
  return {
    runId: `run-${number}`,
    deviceId: name,
    hardwareConfigurationId: CONFIGURATION_ID,
    deviceName: name,
    policyVersion: 4,
    completedAt: '2026-11-23T10:00:00.1234567+01:00',
    exitCode: 0,
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
