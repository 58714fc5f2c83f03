// The image's health check against real processes: it follows the configuration, and says no when nobody answers as it should.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { openApi } from '../../src/api/api.ts';
import { parseConfig } from '../../src/config/config.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { openWorker } from '../../workers/worker.ts';
import { createAuthority } from '../support/certificates.ts';
import { GROUP_KEY } from '../support/device.ts';
import { INHERITED } from '../support/environment.ts';
import { freePort } from '../support/free-port.ts';
import { startProcess, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { startServer } from '../support/rubbish.ts';

let directory: string;
let redis: TestRedis;
let sandbox: Sandbox;
let tls: Record<string, string>;
const processes: TestProcess[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox();
  directory = await mkdtemp(join(tmpdir(), 'healthcheck-'));
  const made = await (await createAuthority()).issue();
  tls = { TLS_CERT_FILE: join(directory, 'cert.pem'), TLS_KEY_FILE: join(directory, 'key.pem') };
  await writeFile(join(directory, 'cert.pem'), made.pem);
  await writeFile(join(directory, 'key.pem'), made.keyPem);
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.close()));
});
afterAll(async () => {
  await sandbox.close();
  await redis.close();
  await rm(directory, { recursive: true });
});

async function check(env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, ['src/process/health-check.ts'], {
    env: { ...INHERITED, ...env },
    stdio: 'ignore',
  });
  const [code] = (await once(child, 'exit')) as [number];
  return code;
}

/** A free port for each process, so that nobody else's answers. */
const ports = async () => ({ PORT: String(await freePort()), WORKER_PORT: String(await freePort()) });

type Changes = Record<string, string> | 'tls';

const environment = async (changes: Changes) => ({
  ...sandbox.environment(),
  REDIS_URL: redis.url,
  DEVICE_GROUP_KEYS: GROUP_KEY,
  HOST: '127.0.0.1',
  ...(await ports()),
  ...(changes === 'tls' ? tls : changes),
});

test.each([
  ['the API', 'src/main.ts', 'listening', {}],
  ['the API over TLS', 'src/main.ts', 'listening', 'tls'],
  ['a worker', 'workers/main.ts', 'working', {}],
] as const)(
  '%s · lives · and stops living when it is gone',
  async (_what, main, msg, changes) => {
    const env = await environment(changes);
    expect(await check(env)).toBe(1);
    const started = startProcess(main, env);
    processes.push(started);
    await started.line(msg);
    expect(await check(env)).toBe(0);
    await started.close();
    expect(await check(env)).toBe(1);
  },
  40_000,
);

// Opened in this process as theirs open them: only where they listen is in question.
test.each([
  ['the API on all addresses', 'api', { HOST: '0.0.0.0' }],
  ['the API on IPv6 alone', 'api', { HOST: '::1' }],
  ['the API by name', 'api', { HOST: 'localhost' }],
  ['the API with a link of Kubernetes', 'api', { WORKER_PORT: 'tcp://10.0.0.1:8081' }],
  ['a worker on IPv6 alone', 'worker', { HOST: '::1' }],
  ['a worker beside files of the API', 'worker', 'tls'],
] as const)('%s · lives', async (_what, role, changes) => {
  const env = await environment(changes);
  const open = role === 'api' ? openApi : openWorker;
  const opened = await open(parseConfig(env, role), { telemetry: createTelemetry(pino({ level: 'silent' })) });
  try {
    expect(await check(env)).toBe(0);
  } finally {
    await opened.close();
  }
});

test.each([503, 404])('who answers %i · does not live', async (status) => {
  await using server = await startServer((_request, response) => response.writeHead(status).end());
  const { port } = new URL(server.url);
  expect(await check({ HOST: '127.0.0.1', ...(await ports()), PORT: port })).toBe(1);
  expect(server.requests).toEqual(['GET /livez']);
});

test('who does not answer · does not live · within the time the image gives', async () => {
  await using server = await startServer(() => undefined);
  const { port } = new URL(server.url);
  const askedAt = Date.now();
  expect(await check({ HOST: '127.0.0.1', ...(await ports()), WORKER_PORT: port })).toBe(1);
  expect(Date.now() - askedAt).toBeLessThan(10_000);
}, 20_000);

test('the image and Compose · ask by the same command · which the build makes', async () => {
  const command = ['node', 'dist/src/process/health-check.js'];
  const dockerfile = await readFile('Dockerfile', 'utf8');
  expect(JSON.parse(/^HEALTHCHECK .*?CMD (.*)$/m.exec(dockerfile)?.[1] ?? 'null')).toEqual(command);
  const { services } = parse(await readFile('docker-compose.yml', 'utf8'), { merge: true }) as {
    services: Record<string, { healthcheck: { test: string } }>;
  };
  for (const name of ['api', 'worker']) expect(services[name]?.healthcheck.test).toBe(command.join(' '));
});
