// `demo`: runs the whole service against the sandbox with a simulated fleet; shows progress, a summary and addresses.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WINDOW_MS, WINDOW_S } from '../../domain/pace/per-window.ts';
import { createFleet } from '../../sandbox/fleet/fleet.ts';
import { enrolFleet } from './fleet-credentials.ts';
import { createFleetSubmit, runFleet, type FleetResult } from './fleet-run.ts';
import { createRandom } from '../../sandbox/random.ts';
import { createSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { startChild, type Child } from './child.ts';
import { createProgress, type Tally } from './progress.ts';
import { checkDeliveries, printSummary } from './summary.ts';
import { demoTenants } from './tenants.ts';
import { EXIT } from '../exit.ts';
import { printError, onUnread, print } from '../out.ts';

export type DemoFlags = { devices: number; tenants?: number; once?: true; seed: number; timeScale: number };

/** Graph's limit as documented: writes per 20 s, per app and tenant. */
const WRITES_PER_20S = 100;
/** Graph fails occasionally: shares of all creates. Throttling needs no faults: it occurs whenever the pace exceeds the limit. */
const FAULTS = { creates: { '504 after the write': 0.02, 'reset after the write': 0.01, '503': 0.01 } };
const SUBMISSIONS_AT_ONCE = 20;
const POLL_MS = 250;

export async function runDemo(flags: DemoFlags): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());
  onUnread(() => stopping.abort());
  const directory = await mkdtemp(join(tmpdir(), 'runstate-demo-'));
  const opened: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })];
  try {
    const { tenants } = flags;
    process.exitCode =
      tenants === undefined
        ? await demo(flags, directory, stopping.signal, opened)
        : await demoTenants({ ...flags, tenants }, { directory, signal: stopping.signal, opened });
  } catch (error) {
    if (!stopping.signal.aborted) printError(error instanceof Error ? error.message : 'the demo failed');
    process.exitCode = stopping.signal.aborted ? EXIT.ok : EXIT.failed;
  }
  for (const close of opened.reverse()) await close();
}

async function demo(
  flags: DemoFlags,
  directory: string,
  signal: AbortSignal,
  opened: (() => Promise<void>)[],
): Promise<number> {
  print('Starting a sandbox of Microsoft Graph, Redis, the API and a worker …');
  const sandbox = await createSandbox({
    seed: flags.seed,
    faults: FAULTS,
    latencyMs: [20, 120],
    limiter: { writesPer20s: WRITES_PER_20S, timeScale: flags.timeScale },
  });
  opened.push(() => sandbox.close());
  const groupKey = randomBytes(32);
  const fleet = createFleet({
    devices: flags.devices,
    seed: flags.seed,
    configurationIds: sandbox.configurationIds,
    now: new Date(),
  });
  const enrolling = enrolFleet(fleet, sandbox, groupKey);
  // Awaited below, once the processes have started meanwhile.
  enrolling.catch(() => undefined);
  const operatorToken = randomBytes(24).toString('hex');
  const { DEVICE_CA_FILE, DEVICE_DIRECTORY, ...directoryCredential } = sandbox.deviceEnvironment();
  const environment = {
    ...process.env,
    // Everything runs on this machine, so no proxy is used.
    NO_PROXY: '*',
    no_proxy: '*',
    DATA_DIR: join(directory, 'redis'),
    REDIS_PREFIX: `runstate-demo-${randomBytes(4).toString('hex')}`,
    DEVICE_GROUP_KEYS: groupKey.toString('base64'),
    DEVICE_CA_FILE,
    DEVICE_DIRECTORY,
    OPERATOR_TOKEN: operatorToken,
    GRAPH_WRITES_PER_20S: String(WRITES_PER_20S * flags.timeScale),
    UNCERTAIN_LOOK_AFTER_MS: '1000',
    HOST: '127.0.0.1',
    PORT: '0',
    WORKER_PORT: '0',
    LOG_LEVEL: 'info',
  };
  const api = await startChild({ name: 'api', entry: 'src/main', env: environment, directory });
  opened.push(api.stop);
  const worker = await startChild({
    name: 'worker',
    entry: 'workers/main',
    env: { ...environment, ...sandbox.environment(), ...directoryCredential },
    directory,
  });
  opened.push(worker.stop);
  const credentialsOf = await enrolling;
  printAddresses({ api, worker, sandbox, operatorToken, directory }, flags);

  const tally: Tally = { accepted: 0, duplicate: 0, refused: 0, unreachable: 0, delivered: 0, waiting: 0, dead: 0 };
  const progress = createProgress(flags.devices, tally);
  const startedAt = Date.now();
  const submitting: Promise<FleetResult> = runFleet(fleet, {
    submit: createFleetSubmit(
      { baseUrl: api.url, signal },
      { random: createRandom(flags.seed), giveUpAfterMs: 120_000 },
      credentialsOf,
    ),
    concurrency: SUBMISSIONS_AT_ONCE,
    signal,
    onOutcome: (_submission, outcome) => (tally[outcome.kind] += 1),
  });
  const deadlineAt = startedAt + deadlineMs(flags);
  await Promise.race([submitting, api.failed, worker.failed]);
  const result = await submitting;
  while (tally.delivered + tally.dead < flags.devices && Date.now() < deadlineAt && !signal.aborted) {
    Object.assign(tally, await readCounts(api));
    progress.show();
    await Promise.race([delay(POLL_MS, undefined, { signal }).catch(() => undefined), api.failed, worker.failed]);
  }
  progress.end();
  if (signal.aborted) return EXIT.ok;

  const checked = await checkDeliveries({ fleet, baseUrl: api.url, credentialsOf, sandbox });
  printSummary({ result, checked, fleet, sandbox, seconds: (Date.now() - startedAt) / 1000 });
  const good = checked.faults.length === 0 && result.surprises.length === 0;
  for (const fault of checked.faults.slice(0, 10)) printError(fault);
  for (const { submission, outcome } of result.surprises.slice(0, 10)) {
    printError(`${submission.deviceId}: expected ${submission.expected}, got ${JSON.stringify(outcome)}`);
  }
  if (!flags.once) {
    print(`Everything stays up for you to look at, best at ${api.url}/dashboard; Ctrl-C ends it.`);
    await Promise.race([
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
      api.failed,
      worker.failed,
    ]);
  }
  return good ? EXIT.ok : EXIT.failed;
}

/** Three times what the pace needs, plus time for faults to be resolved. */
function deadlineMs({ devices, timeScale }: DemoFlags): number {
  return 120_000 + (3 * devices * WINDOW_MS) / (WRITES_PER_20S * timeScale);
}

async function readCounts(api: Child): Promise<Pick<Tally, 'delivered' | 'waiting' | 'dead'>> {
  const response = await fetch(`${api.url}/metrics`, { signal: AbortSignal.timeout(5000) });
  const text = await response.text();
  const count = (status: string) =>
    Number(new RegExp(`^runstate_deliveries\\{status="${status}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    delivered: count('delivered'),
    waiting: count('queued') + count('delivering') + count('waiting'),
    dead: count('dead'),
  };
}

type Places = { api: Child; worker: Child; sandbox: Sandbox; operatorToken: string; directory: string };

function printAddresses({ api, worker, sandbox, operatorToken, directory }: Places, flags: DemoFlags): void {
  print();
  print(`  dashboard  ${api.url}/dashboard   what flows and what does not: open it in a browser`);
  print(`             user name: any   password: ${operatorToken}`);
  print(`  API        ${api.url}/readyz   ${api.url}/metrics`);
  print(`  worker     ${worker.url}/readyz   ${worker.url}/metrics`);
  print(`  sandbox    ${sandbox.controlUrl}   what Graph was asked, what it stored, and how to make it misbehave`);
  print(`  logs       ${directory}/api.log   ${directory}/worker.log`);
  print();
  print(
    `${flags.devices} devices report: a third each with a derived key, a certificate of the fleet’s own authority, and the certificate Entra gave it.`,
  );
  print(
    `Graph takes ${WRITES_PER_20S} writes per ${WINDOW_S / flags.timeScale} s here, and loses an answer now and then.`,
  );
}
