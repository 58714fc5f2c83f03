// One name, two servers: the replica is promoted, the old primary becomes its replica, and open connections stay with it.
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSandbox, type Sandbox } from '../../../src/sandbox/sandbox.ts';
import { createProxy, type Proxy } from '../../chaos/proxy.ts';
import { OPERATOR_TOKEN } from '../../support/app.ts';
import { GROUP_KEY, runResult, sign } from '../../support/device.ts';
import { startApi, startProcess, type TestProcess } from '../../support/process.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const WELL_WITHIN_MS = 15_000;
/** A replica that comes is not waited for others with. */
const AT_ONCE = ['--repl-diskless-sync-delay', '0'];

let a: TestRedis;
let b: TestRedis;
let proxies: Proxy[];
let sandbox: Sandbox;
let api: TestProcess;
let worker: TestProcess;
let url: string;
let workerUrl: string;

const toA = () => connect(`${a.directory}/redis.sock`);
const toB = () => connect(`${b.directory}/redis.sock`);

beforeEach(async () => {
  [a, b] = await Promise.all([startTestRedis(...AT_ONCE), startTestRedis(...AT_ONCE)]);
  // Replication needs a port; both servers listen on sockets, so a proxy lends them one.
  proxies = await Promise.all([createProxy(toA), createProxy(toA), createProxy(toB)]);
  await follow(b, proxies[1]);
  sandbox = await createSandbox();
  const env = {
    REDIS_URL: `redis://127.0.0.1:${proxies[0]?.port ?? 0}`,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    OPERATOR_TOKEN,
    ...sandbox.environment(),
  };
  ({ api, url } = await startApi(env));
  worker = startProcess('workers/main.ts', { HOST: '127.0.0.1', WORKER_PORT: '0', ...env });
  workerUrl = `http://127.0.0.1:${Number((await worker.line('working'))['port'])}`;
});
afterEach(async () => {
  await Promise.all([api.close(), worker.close()]);
  await sandbox.close();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await Promise.all([a.close(), b.close()]);
});

async function follow(server: TestRedis, primary: Proxy | undefined): Promise<void> {
  await server.client.replicaof('127.0.0.1', primary?.port ?? 0);
  await until('the replica follows', async () =>
    (await server.client.info('replication')).includes('master_link_status:up'),
  );
}

/** The name leads to B from now on, and B is the primary; nobody's connection is closed. */
async function promoteB(): Promise<void> {
  await a.client.wait(1, 5000);
  proxies[0]?.lead(toB);
  await b.client.replicaof('NO', 'ONE');
  await follow(a, proxies[2]);
}

async function submit(runId: string): Promise<number> {
  const body = JSON.stringify(runResult({ runId, hardwareConfigurationId: sandbox.configurationIds[0] ?? '' }));
  const response = await fetch(`${url}/v1/run-results`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...sign({ body }) },
    body,
  });
  await response.arrayBuffer();
  return response.status;
}

const ready = async (at: string) => {
  const response = await fetch(`${at}/readyz`);
  return {
    code: response.status,
    ...((await response.json()) as { status: string; checks: { redis: { detail: string } } }),
  };
};
const countConnections = async ({ client }: TestRedis) =>
  String(await client.call('CLIENT', 'LIST', 'TYPE', 'normal'))
    .trim()
    .split('\n').length;
const countCreated = () => sandbox.records().length;
const countDelivered = async ({ client }: TestRedis) =>
  Number(await client.hget('runstate:{default}:counts', 'delivered'));

test('submissions all the while · are taken and created again within seconds', async () => {
  expect(await submit('before')).toBe(202);
  // Created and not yet noted, it would be looked up in Graph on B once its lock has expired.
  await until('the first is delivered', async () => (await countDelivered(a)) === 1);
  await promoteB();
  let number = 0;
  await until('a submission is taken', async () => (await submit(`after-${number++}`)) === 202, WELL_WITHIN_MS);
  // A submission that was answered 503 may have been stored all the same, and then it is created as well.
  await until('it is created', () => countCreated() >= 2, WELL_WITHIN_MS);
  await until('both are delivered', async () => (await countDelivered(b)) >= 2, WELL_WITHIN_MS);
  expect(await submit('before')).toBe(200);
  expect((await ready(url)).status).toBe('ok');
  expect((await ready(workerUrl)).status).toBe('ok');
  expect([...api.lines, ...worker.lines].filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
});

test('nobody submits anything · and every connection moves to the primary all the same', async () => {
  expect(await countConnections(a)).toBeGreaterThan(3);
  await promoteB();
  // What is left is the test's own.
  await until('A is left', async () => (await countConnections(a)) === 1, WELL_WITHIN_MS);
  await until('both are with B', async () => (await countConnections(b)) > 3, WELL_WITHIN_MS);
  expect(await submit('after')).toBe(202);
  await until('it is created', () => countCreated() === 1, WELL_WITHIN_MS);
});

test('a name that goes on leading to the replica · is not ready, with the reason · until it leads elsewhere', async () => {
  expect(await submit('before')).toBe(202);
  await until('the first is created', () => countCreated() === 1);
  proxies[0]?.lead(toA);
  await b.client.replicaof('NO', 'ONE');
  await follow(a, proxies[2]);
  expect(await submit('during')).toBe(503);
  for (const at of [url, workerUrl]) {
    await until('it is not ready', async () => {
      const { code, status, checks } = await ready(at);
      return code === 503 && status === 'failing' && checks.redis.detail.includes('READONLY');
    });
  }
  expect((await fetch(`${url}/livez`)).status).toBe(200);

  proxies[0]?.lead(toB);
  let number = 0;
  await until('a submission is taken', async () => (await submit(`after-${number++}`)) === 202, WELL_WITHIN_MS);
  await until('it is created', () => countCreated() === 2, WELL_WITHIN_MS);
  for (const at of [url, workerUrl]) await until('it is ready', async () => (await ready(at)).code === 200);
});
