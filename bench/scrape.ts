// Measures the cost of a scrape with a long backlog: fills its own Redis with waiting deliveries, then requests /metrics.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openApi, type Api } from '../src/api/api.ts';
import { parseConfig } from '../src/config/config.ts';
import { DEFAULT_TENANT } from '../src/config/tenants/tenant.ts';
import { type Tenant } from '../src/queue/tenant.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createTelemetry } from '../src/telemetry/telemetry.ts';

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
const config = parseConfig(
  { DATA_DIR: directory, DEVICE_GROUP_KEYS: randomBytes(32).toString('base64'), HOST: '127.0.0.1', PORT: '0' },
  'api',
);
const api = await openApi(config, { telemetry: createTelemetry(createLog('bench', 'fatal')) });
const tenant = api.tenants.find(DEFAULT_TENANT)?.tenant;
if (!tenant) throw new Error('the API opened no tenant');
const { redis } = tenant;
try {
  await redis.ping();
  // Only the number of deliveries matters here, so nothing is written to disk.
  await redis.config('SET', 'appendonly', 'no');
  say(await measure(api, 0));
  await fill(tenant);
  say(await measure(api, deliveries));
} finally {
  await api.close();
  await rm(directory, { recursive: true, force: true });
}

async function fill({ deliveries: store }: Tenant): Promise<void> {
  for (let first = 0; first < deliveries; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, deliveries - first) }, (_, index) => first + index);
    await Promise.all(numbers.map((number) => store.accept(aRun(number), Date.now())));
  }
}

/** Scrapes several times. @returns the durations, in words */
async function measure({ port }: Api, expected: number): Promise<string> {
  const url = `http://127.0.0.1:${port}/metrics`;
  const tookMs: number[] = [];
  for (let scrape = 0; scrape < scrapes; scrape += 1) {
    const startedAt = performance.now();
    const text = await (await fetch(url)).text();
    tookMs.push(performance.now() - startedAt);
    if (!text.includes(`runstate_deliveries{status="queued"} ${expected}\n`)) throw new Error(text);
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
