// `demo --tenants`: several tenants at one bridge, each with a Graph of its own: one flows, one is held, one is throttled.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { submitUntilAccepted } from '../../device/submit-with-retries.ts';
import { deriveDeviceKey } from '../../domain/submission/device-key.ts';
import { createFleet, type Fleet } from '../../sandbox/fleet/fleet.ts';
import { createRandom } from '../../sandbox/random.ts';
import { createSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { EXIT } from '../exit.ts';
import { print } from '../out.ts';
import { toTable } from '../table.ts';
import { startChild, type Child } from './child.ts';

export type TenantsDemoFlags = { tenants: number; devices: number; once?: true; seed: number; timeScale: number };

export type TenantsDemoParts = {
  /** Where files and logs are written. */
  directory: string;
  signal: AbortSignal;
  /** What is closed at the end, last first. */
  opened: (() => Promise<void>)[];
};

type Condition = { name: string; isMeant: (tenant: TenantStatus) => boolean; trouble?: string; writesPer20s: number };

type DemoTenant = { id: string; condition: Condition; sandbox: Sandbox; groupKey: Buffer; fleet: Fleet };

type TenantStatus = {
  id: string;
  counts: Record<string, number>;
  holds: { reason: string; detail: string; remedy: string }[];
};

const WRITES_PER_20S = 100;
const isHeldFor = (reason: string) => (tenant: TenantStatus) => tenant.holds.some((hold) => hold.reason === reason);

/** In turn, for as many tenants as there are. */
const CONDITIONS: readonly Condition[] = [
  { name: 'flows', isMeant: ({ holds }) => holds.length === 0, writesPer20s: WRITES_PER_20S },
  {
    name: 'is held: the app lost its permission',
    isMeant: isHeldFor('forbidden'),
    trouble: 'next 1000000 creates: 403',
    writesPer20s: WRITES_PER_20S,
  },
  { name: 'is throttled: something else uses its Graph', isMeant: isHeldFor('throttled'), writesPer20s: 1 },
];
const SUBMISSIONS_AT_ONCE = 10;
const POLL_MS = 500;

/** @returns the exit code: ok if every tenant is in its planned state, and those that flow were delivered once */
export async function demoTenants(flags: TenantsDemoFlags, parts: TenantsDemoParts): Promise<number> {
  const { directory, signal, opened } = parts;
  print(`Starting ${flags.tenants} sandboxes of Microsoft Graph, Redis, the API and a worker …`);
  const tenants: DemoTenant[] = [];
  for (let number = 0; number < flags.tenants; number += 1) {
    const tenant = await openTenant(number, flags, directory);
    opened.push(() => tenant.sandbox.close());
    tenants.push(tenant);
  }
  const file = join(directory, 'tenants.json');
  await writeFile(
    file,
    JSON.stringify({ tenants: await Promise.all(tenants.map((tenant) => toEntry(tenant, flags, directory))) }, null, 2),
  );
  const operatorToken = randomBytes(24).toString('hex');
  const env = {
    ...process.env,
    ...{ NO_PROXY: '*', no_proxy: '*', HOST: '127.0.0.1', PORT: '0', WORKER_PORT: '0', LOG_LEVEL: 'info' },
    DATA_DIR: join(directory, 'redis'),
    TENANTS_FILE: file,
    OPERATOR_TOKEN: operatorToken,
    NODE_EXTRA_CA_CERTS: tenants[0]?.sandbox.caPath,
  };
  const api = await startChild({ name: 'api', entry: 'src/main', env, directory });
  opened.push(api.stop);
  const worker = await startChild({ name: 'worker', entry: 'workers/main', env, directory });
  opened.push(worker.stop);
  print('', `  dashboard  ${api.url}/dashboard   user name: any   password: ${operatorToken}`);
  print(
    `  tenants    ${file}   change it, and see it taken up`,
    `  logs       ${directory}/api.log   ${directory}/worker.log`,
    '',
  );

  await Promise.race([Promise.all(tenants.map((tenant) => report(tenant, api, signal))), api.failed, worker.failed]);
  const deadlineAt = Date.now() + 60_000 + (flags.devices * 60_000) / (WRITES_PER_20S * flags.timeScale);
  let faults = await findFaults(tenants, api, operatorToken);
  while (faults.length > 0 && Date.now() < deadlineAt && !signal.aborted) {
    await Promise.race([delay(POLL_MS, undefined, { signal }).catch(() => undefined), api.failed, worker.failed]);
    faults = await findFaults(tenants, api, operatorToken);
  }
  if (signal.aborted) return EXIT.ok;
  print(
    ...toTable(
      ['tenant', 'what it shows', 'devices', 'in Graph'],
      tenants.map(({ id, condition, fleet, sandbox }) => [id, condition.name, fleet.devices, sandbox.records().length]),
    ),
  );
  if (faults.length > 0) print(...faults);
  if (!flags.once) {
    print(`Everything stays up for you to look at, best at ${api.url}/dashboard; Ctrl-C ends it.`);
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await Promise.race([stopped, api.failed, worker.failed]);
  }
  return faults.length === 0 ? EXIT.ok : EXIT.failed;
}

async function openTenant(
  number: number,
  { devices, seed, timeScale }: TenantsDemoFlags,
  directory: string,
): Promise<DemoTenant> {
  const condition = CONDITIONS[number % CONDITIONS.length] ?? CONDITIONS[0];
  if (!condition) throw new Error('there is no condition to show');
  const sandbox = await createSandbox({
    seed: seed + number,
    latencyMs: [20, 120],
    // One authority for all, so that a process need trust only one.
    tlsDirectory: directory,
    limiter: { writesPer20s: condition.writesPer20s, timeScale: condition.writesPer20s === 1 ? 1 : timeScale },
  });
  if (condition.trouble !== undefined) sandbox.script(condition.trouble);
  const { configurationIds } = sandbox;
  const fleet = createFleet({
    devices,
    seed: seed + number,
    configurationIds,
    now: new Date(),
    againShare: 0,
    malformedShare: 0,
  });
  return { id: `tenant-${number + 1}`, condition, sandbox, groupKey: randomBytes(32), fleet };
}

async function toEntry({ id, sandbox, groupKey }: DemoTenant, { timeScale }: TenantsDemoFlags, directory: string) {
  const [secretFile, keyFile] = [join(directory, `${id}-secret`), join(directory, `${id}-devices`)];
  await writeFile(secretFile, sandbox.clientSecret, { mode: 0o600 });
  await writeFile(keyFile, groupKey.toString('base64'), { mode: 0o600 });
  return {
    id,
    azure: { tenantId: sandbox.tenantId, clientId: sandbox.clientId, clientSecretFile: secretFile },
    graph: {
      baseUrl: sandbox.graphBaseUrl,
      authorityHost: sandbox.authorityHost,
      writesPer20s: WRITES_PER_20S * timeScale,
    },
    devices: { groupKeyFiles: [keyFile] },
  };
}

/** Every device reports once, with a key derived for it. */
async function report({ id, fleet, groupKey }: DemoTenant, api: Child, signal: AbortSignal): Promise<void> {
  const remaining = fleet.runResults.values();
  const work = async () => {
    for (const runResult of remaining) {
      if (signal.aborted) return;
      const { deviceId } = runResult;
      const deviceKey = deriveDeviceKey(groupKey, deviceId).toString('base64');
      const device = { baseUrl: api.url, signal, deviceId, tenant: id, deviceKey };
      await submitUntilAccepted(runResult, device, { random: createRandom(1), giveUpAfterMs: 120_000 });
    }
  };
  await Promise.all(Array.from({ length: SUBMISSIONS_AT_ONCE }, work));
}

/** What differs from the plan so far. */
async function findFaults(tenants: readonly DemoTenant[], api: Child, operatorToken: string): Promise<string[]> {
  const response = await fetch(`${api.url}/v1/status`, {
    headers: { Authorization: `Bearer ${operatorToken}` },
    signal: AbortSignal.timeout(5000),
  });
  const { tenants: seen } = (await response.json()) as { tenants: TenantStatus[] };
  return tenants.flatMap(({ id, condition, fleet, sandbox }) => {
    const status = seen.find((tenant) => tenant.id === id);
    if (!status || !condition.isMeant(status)) return [`${id} does not show what it should: ${condition.name}`];
    if (condition.name !== 'flows') return [];
    const records = sandbox.records().length;
    if (records !== fleet.devices) return [`${id}: ${records} of ${fleet.devices} are in Graph`];
    return sandbox.duplicates().length === 0 ? [] : [`${id}: a run is in Graph twice`];
  });
}
