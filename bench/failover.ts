// Measures how long a failover of Redis interrupts the service: until run results are accepted again, and until they reach Graph again.
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { submit } from '../src/device/device-client.ts';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { ONLY_TENANT, type Disturbance } from '../test/chaos/plan.ts';
import { openStage } from '../test/chaos/stage.ts';
import { openSandbox } from '../test/chaos/stand-in-graph.ts';

const LIMIT_S = 15;
/** Results come at this interval, each from a device of its own. */
const SUBMIT_EVERY_MS = 50;
const BEFORE_MS = 4000;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    /** From the kill on. */
    seconds: { type: 'string', default: '25' },
  },
});

/** In the Cluster each primary has one replica: once that is promoted, only the old primary can confirm what is written. */
const AWAY_MS = { sentinel: Number(values.seconds) * 1000, cluster: 5000 } as const;

process.stdout.write(
  `The primary is killed, behind Sentinel for good, in the Cluster for 5 s; ${values.runs} runs, medians and longest:\n`,
);
for (const redis of ['sentinel', 'cluster'] as const) {
  const gaps: Gaps[] = [];
  for (let run = 1; run <= Number(values.runs); run += 1) gaps.push(await measure(redis, run));
  process.stdout.write(
    `  ${redis.padEnd(9)} accepted again after ${describe(gaps.map(({ acceptedMs }) => acceptedMs))}, in Graph again after ${describe(gaps.map(({ createdMs }) => createdMs))}; limit ${LIMIT_S} s\n`,
  );
}
process.exit(0);

/** The longest time without a 202, and without a new record in Graph. */
type Gaps = { acceptedMs: number; createdMs: number };

async function measure(redis: 'sentinel' | 'cluster', seed: number): Promise<Gaps> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
  const groupKey = createHash('sha256').update(`bench ${seed}`).digest();
  const standIn = await openSandbox(seed);
  const stage = await openStage({
    directory,
    tenants: [{ id: ONLY_TENANT, groupKey, standIn }],
    redis,
    operatorToken: randomUUID(),
    concurrency: 20,
    filter: 'works',
    isRestricted: false,
    isEncrypted: false,
    clockAheadS: { api: 0, 'worker-1': 0, 'worker-2': 0 },
    disturbances: [],
  });
  try {
    const measured = Number(values.seconds) * 1000;
    const isOver = new AbortController();
    const accepted = submitSteadily(stage.apiUrl, groupKey, {
      hardwareConfigurationId: standIn.configurationIds[0] ?? '',
      signal: isOver.signal,
    });
    const created = watchRecords(() => standIn.records().length, isOver.signal);
    await delay(BEFORE_MS);
    const kill: Disturbance = {
      at: 0,
      forMs: AWAY_MS[redis],
      kind: 'primary-kill',
      party: 'worker-1',
      tenant: null,
      configurationId: null,
    };
    await stage.begin(kill);
    await delay(measured);
    isOver.abort();
    return { acceptedMs: longestGap(await accepted), createdMs: longestGap(await created) };
  } finally {
    await stage.close();
    await standIn.close();
    await rm(directory, { recursive: true, force: true });
  }
}

type Load = { hardwareConfigurationId: string; signal: AbortSignal };

/** @returns when each was accepted, and the end */
async function submitSteadily(
  baseUrl: string,
  groupKey: Uint8Array,
  { hardwareConfigurationId, signal }: Load,
): Promise<number[]> {
  const at = [performance.now()];
  const underWay: Promise<void>[] = [];
  for (let number = 0; !signal.aborted; number += 1) {
    const deviceId = `LAPTOP-${number}`;
    const deviceKey = deriveDeviceKey(groupKey, deviceId).toString('base64');
    const device = { baseUrl, deviceId, deviceKey, requestTimeoutMs: 3000 };
    const runResult = {
      runId: randomUUID(),
      deviceId,
      hardwareConfigurationId,
      deviceName: deviceId,
      policyVersion: 1,
      completedAt: new Date().toISOString(),
      exitCode: 0,
    };
    const submitting = submit(runResult, device).then(({ kind }) => {
      if (kind === 'accepted') at.push(performance.now());
    });
    underWay.push(submitting);
    await delay(SUBMIT_EVERY_MS);
  }
  await Promise.all(underWay);
  return [...at, performance.now()];
}

/** @returns when there were more of them, and the end */
async function watchRecords(count: () => number, signal: AbortSignal): Promise<number[]> {
  const at = [performance.now()];
  let known = count();
  while (!signal.aborted) {
    const now = count();
    if (now > known) at.push(performance.now());
    known = now;
    await delay(20);
  }
  return [...at, performance.now()];
}

function longestGap(at: readonly number[]): number {
  const sorted = at.toSorted((a, b) => a - b);
  return Math.max(...sorted.slice(1).map((instant, index) => instant - (sorted[index] ?? instant)));
}

function describe(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  const inS = (ms: number | undefined) => `${((ms ?? 0) / 1000).toFixed(1)} s`;
  return `${inS(sorted[Math.floor(sorted.length / 2)])} (${inS(sorted.at(-1))})`;
}
