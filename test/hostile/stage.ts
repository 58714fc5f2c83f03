// The campaign's targets: an API, an API with TLS and a worker, as real processes with their own Redis.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../support/certificates.ts';
import { AUTHORITY_PEM } from './certificates.ts';
import { GROUP_KEY } from '../support/device.ts';
import { freePort } from '../support/free-port.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis } from '../support/redis.ts';
import { AZURE } from '../support/tenants-file.ts';
import { until } from '../support/until.ts';
import { MOST_BATCH_BYTES } from './batch.ts';
import type { Doors } from './hang-ups.ts';
import { OPERATOR_TOKEN } from './operators.ts';
import { CONTOSO_AUTHORITY_PEM, OTHERS } from './tenants.ts';

const START_WITHIN_MS = 60_000;
/** A leak that the memory's size does not show soon enough ends here. */
const HEAP = '--max-old-space-size=96 --max-semi-space-size=8';
/** Of a tenant nobody asks: no delivery is the worker's, it only listens. */
const IDLE_WORKER = {
  REDIS_PREFIX: 'idle',
  AZURE_TENANT_ID: '00000000-0000-0000-0000-000000000001',
  AZURE_CLIENT_ID: '00000000-0000-0000-0000-000000000002',
  AZURE_CLIENT_SECRET: 'never-used',
};

export type Stage = Awaited<ReturnType<typeof openStage>>;

export async function openStage() {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-hostile-'));
  // What is asked here is what is stored, not how durably.
  const redis = await startTestRedis('--appendfsync', 'no');
  const started: TestProcess[] = [];
  const close = async () => {
    await Promise.all(started.map((one) => one.close()));
    await redis.close();
    await rm(directory, { recursive: true, force: true });
  };
  const ports = { api: await freePort(), health: await freePort(), secure: await freePort() };
  const authoritiesFile = join(directory, 'devices.pem');
  await writeFile(authoritiesFile, AUTHORITY_PEM);
  const env = {
    REDIS_URL: redis.url,
    DEVICE_CA_FILE: authoritiesFile,
    HOST: '127.0.0.1',
    // A line for every request would fill the campaign's own memory.
    LOG_LEVEL: 'warn',
    DEVICE_GROUP_KEYS: GROUP_KEY,
    OPERATOR_TOKEN,
    DEVICE_RATE_PER_MIN: '0',
    MAX_BATCH_BYTES: String(MOST_BATCH_BYTES),
    MAX_BACKLOG_BYTES: '10000000000',
    MAX_BACKLOG_AGE_H: '87600',
  };
  const start = (main: string, more: Record<string, string>) => {
    const one = startProcess(main, { ...env, NODE_OPTIONS: HEAP, ...more });
    started.push(one);
    return one;
  };
  // It serves several tenants; the one that speaks TLS, only the environment's.
  const api = start('src/main.ts', {
    PORT: String(ports.api),
    TENANTS_FILE: await writeTenants(directory, authoritiesFile),
  });
  const secure = start('src/main.ts', { PORT: String(ports.secure), ...(await makeTlsFiles(directory)) });
  const worker = start('workers/main.ts', { WORKER_PORT: String(ports.health), ...IDLE_WORKER });
  try {
    await until('the API is ready', () => isReady(ports.api), START_WITHIN_MS);
    await until('the worker is ready', () => isReady(ports.health), START_WITHIN_MS);
    await until('the API that speaks TLS listens', () => listens(ports.secure), START_WITHIN_MS);
  } catch (error) {
    await close();
    const said = started.map((one) => `${one.stdout()}${one.stderr()}`).join('');
    throw new Error(`it does not start: ${said}`, { cause: error });
  }
  const processes = { api, 'API with TLS': secure, worker };
  const begun = Object.values(processes).map(({ pid }) => startedAt(pid));
  return {
    env,
    port: ports.api,
    doors: { ...ports, handshake: ports.secure } satisfies Doors,
    pid: api.pid,
    /** What the processes logged. */
    lines: () => started.flatMap(({ lines }) => lines),
    /** Which processes are no longer those that were started. */
    ended: () =>
      Object.entries(processes).flatMap(([name, one], at) =>
        startedAt(one.pid) === begun[at] ? [] : [`the ${name} ended: ${one.stdout().slice(-600)}${one.stderr()}`],
      ),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const isReady = async (port: number) => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null))?.ok;

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  const connected = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'close').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return connected;
}

/** When a process was started, in ticks since the machine was; null where it is no more. */
function startedAt(pid: number): string | null {
  try {
    const [state, ...rest] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return state === 'Z' ? null : (rest[18] ?? null);
  } catch {
    return null;
  }
}

/** `default`, as the environment describes it, and others. */
async function writeTenants(directory: string, authoritiesFile: string): Promise<string> {
  const write = async (name: string, text: string) => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const entryOf = async (id: string, groupKey: string, caFile: string | null) => ({
    id,
    azure: { ...AZURE, clientSecretFile: await write(`${id}-secret`, 'never-used') },
    devices: {
      groupKeyFiles: [await write(`${id}-devices`, groupKey)],
      ...(caFile !== null && { caFile, idFromCert: 'cn' }),
    },
  });
  const tenants = [
    await entryOf('default', GROUP_KEY, authoritiesFile),
    await entryOf('contoso', OTHERS.contoso, await write('contoso.pem', CONTOSO_AUTHORITY_PEM)),
    await entryOf('fabrikam', OTHERS.fabrikam, null),
  ];
  return write('tenants.json', JSON.stringify({ tenants }));
}

async function makeTlsFiles(directory: string) {
  const { pem, keyPem } = await (await createAuthority()).issue({ subject: 'CN=localhost', purposes: null });
  const files = { TLS_CERT_FILE: join(directory, 'tls.pem'), TLS_KEY_FILE: join(directory, 'tls-key.pem') };
  await writeFile(files.TLS_CERT_FILE, pem);
  await writeFile(files.TLS_KEY_FILE, keyPem);
  return files;
}
