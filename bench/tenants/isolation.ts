// Measures what tenant B notices of tenant A: its time from 202 to created and its pace, while A is in trouble and flooded.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startChild, type Child } from '../../src/cli/demo/child.ts';
import { submitUntilAccepted } from '../../src/device/submit-with-retries.ts';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import { POLICY, openOwnTenant } from '../../test/support/tenant.ts';
import { openTenant, toEnvironment, type BenchTenant as Tenant } from './bench-tenants.ts';

const { values } = parseArgs({
  options: {
    /** Run results of A that wait when B begins. */
    flood: { type: 'string', default: '100000' },
    /** Run results of B, one a second; then as many at once. */
    results: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
  },
});
const flood = Number(values.flood);
const results = Number(values.results);

const CONFIGURATION_ID = '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81';
const POISON = 'poison';
const WRITES_PER_20S = 100;
const FLOODED_AT_ONCE = 500;

type Condition = { name: string; isFlooded: boolean; trouble: string | null };

const CONDITIONS: readonly Condition[] = [
  { name: 'idle', isFlooded: false, trouble: null },
  { name: 'flooded', isFlooded: true, trouble: null },
  { name: 'flooded, held', isFlooded: true, trouble: 'next 1000000 creates: 403' },
  { name: 'flooded, throttled', isFlooded: true, trouble: 'next 1000000 creates: 429 with Retry-After 3600' },
  {
    name: 'flooded, throttled again and again',
    isFlooded: true,
    trouble: 'next 1000000 creates: 429 with Retry-After 1',
  },
  { name: 'flooded with poison', isFlooded: true, trouble: POISON },
  { name: 'flooded, its Graph answers 500', isFlooded: true, trouble: 'next 1000000 creates: 500' },
  { name: 'flooded, its Graph never answers', isFlooded: true, trouble: 'next 1000000 creates: hang' },
];

say('B, while A is …                     from 202 to created: p50      p99    its budget used');
for (const condition of CONDITIONS.filter(({ name }) => name.includes(values.only))) {
  const { p50Ms, p99Ms, used } = await measure(condition);
  say(
    `${condition.name.padEnd(40)} ${p50Ms.toFixed(0).padStart(16)} ms ${p99Ms.toFixed(0).padStart(6)} ms ` +
      `${(used * 100).toFixed(1).padStart(12)} %`,
  );
}

async function measure({ isFlooded, trouble }: Condition): Promise<{ p50Ms: number; p99Ms: number; used: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
  const stops: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  try {
    const limiter = { writesPer20s: WRITES_PER_20S, timeScale: 1 };
    const open = (id: string) => openTenant(id, { seed: 1, latencyMs: [20, 120], tlsDirectory: directory, limiter });
    const [a, b] = [await open('a'), await open('b')];
    stops.push(
      () => a.sandbox.close(),
      () => b.sandbox.close(),
    );
    if (trouble !== null && trouble !== POISON) a.sandbox.script(trouble);
    const environment = {
      ...(await toEnvironment([a, b], WRITES_PER_20S, directory)),
      ...{ PORT: '0', WORKER_PORT: '0' },
    };
    const api = await startChild({ name: 'api', entry: 'src/main', env: environment, directory });
    stops.push(api.stop);
    if (isFlooded) await fill(a, join(directory, 'redis'), trouble === POISON);
    const worker = await startChild({ name: 'worker', entry: 'workers/main', env: environment, directory });
    stops.push(worker.stop);
    await delay(5000);
    const latenciesMs = (await reportOneASecond(b, api)).toSorted((x, y) => x - y);
    const used = await reportAtOnce(b, api);
    const within = (share: number) => latenciesMs[Math.ceil(latenciesMs.length * share) - 1] ?? 0;
    return { p50Ms: within(0.5), p99Ms: within(0.99), used };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** Stores A's run results as the API would; poison is what its Graph refuses. */
async function fill({ id, groupKey }: Tenant, directory: string, isPoison: boolean): Promise<void> {
  const delivery = {
    writesPer20s: WRITES_PER_20S,
    holdProbeMs: 2000,
    dedupeWindowMs: 3_600_000,
    deliveredKeptMs: 3_600_000,
    priority: 'fifo' as const,
    supersede: false,
    policy: POLICY,
  };
  const tenant = await openOwnTenant({
    id,
    redis: { kind: 'embedded', directory, prefix: 'runstate' } as never,
    http: { groupKeys: [{ reveal: () => groupKey.toString('base64') } as never] },
    delivery,
    backlog: { maxBytes: null, maxAgeMs: null },
    payloadKeys: [],
  });
  for (let first = 0; first < flood; first += FLOODED_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(FLOODED_AT_ONCE, flood - first) }, (_, index) => first + index);
    await Promise.all(
      numbers.map((number) => tenant.deliveries.accept(aRun(`flood-${number}`, isPoison), tenant.clock.now())),
    );
  }
  await tenant.close();
}

/** @returns from the 202 of each to its creation in Graph */
async function reportOneASecond(tenant: Tenant, api: Child): Promise<number[]> {
  const reports: Promise<string>[] = [];
  for (let number = 0; number < results; number += 1) {
    reports.push(report(tenant, api, `one-${number}`));
    await delay(1000);
  }
  const acceptedAt = new Map((await Promise.all(reports)).map((entry) => entry.split(' ') as [string, string]));
  await until(() => tenant.sandbox.records().length >= results);
  return tenant.sandbox
    .records()
    .map(({ createdAt, deviceName }) => Date.parse(createdAt) - Number(acceptedAt.get(deviceName ?? '')));
}

/** @returns the share of its limit that B uses from the first creation to the last */
async function reportAtOnce(tenant: Tenant, api: Child): Promise<number> {
  const before = tenant.sandbox.records().length;
  await Promise.all(Array.from({ length: 4 * results }, (_, number) => report(tenant, api, `many-${number}`)));
  await until(() => tenant.sandbox.records().length >= before + 4 * results);
  const createdAt = tenant.sandbox
    .records()
    .map((record) => Date.parse(record.createdAt))
    .toSorted((x, y) => x - y)
    .slice(before);
  const tookS = ((createdAt.at(-1) ?? 0) - (createdAt[0] ?? 0)) / 1000;
  return (createdAt.length - 1) / tookS / (WRITES_PER_20S / 20);
}

/** @returns the device's name, and when it had the 202 */
async function report({ id, groupKey }: Tenant, api: Child, name: string): Promise<string> {
  const deviceKey = deriveDeviceKey(groupKey, name).toString('base64');
  const device = { baseUrl: api.url, deviceId: name, tenant: id, deviceKey, signal: AbortSignal.timeout(60_000) };
  await submitUntilAccepted(aRun(name, false), device, { random: Math.random, giveUpAfterMs: 60_000 });
  return `${name} ${Date.now()}`;
}

function aRun(name: string, isPoison: boolean) {
  return {
    runId: name,
    deviceId: name,
    hardwareConfigurationId: isPoison ? '00000000-0000-4000-8000-000000000bad' : CONFIGURATION_ID,
    deviceName: name,
    policyVersion: 1,
    completedAt: new Date().toISOString(),
    exitCode: 0,
    output: 'x'.repeat(500),
  };
}

async function until(isSo: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 300_000;
  while (!isSo()) {
    if (Date.now() > giveUpAt) throw new Error('not within five minutes');
    await delay(50);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
