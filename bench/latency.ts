// Measures the time from a 202 to the record in Graph, for single run results and a Graph without latency.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startChild } from '../src/cli/demo/child.ts';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { submit } from '../src/device/device-client.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';

const LIMIT_MS = 50;
/** Long enough for the next slot to be due and everything to be idle. */
const PAUSE_MS = 400;

const { values } = parseArgs({ options: { results: { type: 'string', default: '50' } } });
const results = Number(values.results);

const directory = await mkdtemp(join(tmpdir(), 'runstate-bench-'));
const sandbox = await createSandbox({ tlsDirectory: directory });
const groupKey = randomBytes(32);
const environment = {
  ...process.env,
  ...sandbox.environment(),
  DATA_DIR: join(directory, 'redis'),
  DEVICE_GROUP_KEYS: groupKey.toString('base64'),
  HOST: '127.0.0.1',
  PORT: '0',
  WORKER_PORT: '0',
  LOG_LEVEL: 'info',
};
const api = await startChild({ name: 'api', entry: 'src/main', env: environment, directory });
const worker = await startChild({ name: 'worker', entry: 'workers/main', env: environment, directory });
try {
  const waits: number[] = [];
  for (let number = 0; number <= results; number += 1) {
    const waitMs = await measure();
    // The first one opens connections and gets the token, so it is not counted.
    if (number > 0) waits.push(waitMs);
    await delay(PAUSE_MS);
  }
  const sorted = waits.toSorted((a, b) => a - b);
  const [p50, p95, worst] = [0.5, 0.95, 1].map((share) => sorted[Math.ceil(share * results) - 1] ?? NaN);
  say(`${results} lone run results, from the 202 to the request in Graph:`);
  say(`p50 ${format(p50)}   p95 ${format(p95)}   worst ${format(worst)}   aim ${LIMIT_MS} ms`);
} finally {
  await worker.stop();
  await api.stop();
  await sandbox.close();
  await rm(directory, { recursive: true, force: true });
}

/** Submits one run result. @returns the time from its 202 until the create reached Graph */
async function measure(): Promise<number> {
  const deviceId = `device-${randomUUID()}`;
  const created = Promise.withResolvers<number>();
  const unsubscribe = sandbox.subscribe(({ operation }) => {
    if (operation === 'create') created.resolve(performance.now());
  });
  const outcome = await submit(
    {
      runId: randomUUID(),
      deviceId,
      hardwareConfigurationId: sandbox.configurationIds[0],
      deviceName: deviceId,
      policyVersion: 1,
      completedAt: new Date().toISOString(),
      exitCode: 0,
    },
    { baseUrl: api.url, deviceId, deviceKey: deriveDeviceKey(groupKey, deviceId).toString('base64') },
  );
  const acceptedAt = performance.now();
  if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`);
  const createdAt = await Promise.race([created.promise, api.failed, worker.failed]);
  unsubscribe();
  return Math.max(0, createdAt - acceptedAt);
}

function format(ms = NaN): string {
  return `${ms.toFixed(1)} ms`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
