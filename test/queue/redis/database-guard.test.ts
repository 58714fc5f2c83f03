// A connection that is not where it should be takes no command: a database that is not there, a right that is missing, a password that is wrong.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Redis } from 'ioredis';
import { createSandbox } from '../../../src/sandbox/sandbox.ts';
import { toSecret } from '../../../src/config/secret.ts';
import type { RedisConfig } from '../../../src/config/redis.ts';
import { OPERATOR_TOKEN } from '../../support/app.ts';
import { GROUP_KEY, runResult, sign } from '../../support/device.ts';
import { startApi, startProcess } from '../../support/process.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, healthOf, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  redis = await startTestRedis();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redis.close();
});

async function open(config: Partial<RedisConfig> & { kind: 'single' }, purpose: 'answer' | 'work'): Promise<OwnTenant> {
  const queue = await openTestTenant({ config: { ...redis.config, ...config } as RedisConfig }, { purpose });
  closing.push(queue.close);
  return queue;
}

const at = (suffix: string) => ({ kind: 'single' as const, url: toSecret(`${redis.url}${suffix}`) });
const readinessOf = (queue: OwnTenant) => healthOf(queue).readiness();
const trouble = async (queue: OwnTenant) => {
  const { status, checks } = await readinessOf(queue);
  return `${status}: ${checks['redis']?.detail ?? ''}`;
};
const keysOf = (db: number) => {
  const client = new Redis({ path: join(redis.directory, 'redis.sock'), db });
  return client.keys('*').finally(() => client.disconnect());
};

test('REDIS_URL with a database the server does not have · is not ready, says so · and nothing is stored anywhere', async () => {
  const { api, url } = await startApi({
    REDIS_URL: `${redis.url}?db=16`,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    OPERATOR_TOKEN,
  });
  closing.push(api.close);
  const body = JSON.stringify(runResult({ runId: 'run-1' }));
  const headers = { 'Content-Type': 'application/json', ...sign({ body }) };
  const submitted = await fetch(`${url}/v1/run-results`, { method: 'POST', headers, body });
  expect(submitted.status).toBe(503);
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toContain('DB index is out of range');
  expect(await redis.client.dbsize()).toBe(0);
});

test('a worker that is to use such a database · is not ready · and neither of its connections takes a command', async () => {
  const sandbox = await createSandbox();
  closing.push(() => sandbox.close());
  const env = { HOST: '127.0.0.1', WORKER_PORT: '0', REDIS_URL: `${redis.url}?db=16`, ...sandbox.environment() };
  const worker = startProcess('workers/main.ts', env);
  closing.push(worker.close);
  const { port } = await worker.line('working');
  const received = async () =>
    Number(/total_connections_received:(\d+)/.exec(await redis.client.info('stats'))?.[1] ?? 0);
  const before = await received();
  await until('both have tried several times', async () => (await received()) > before + 6, 20_000);
  const ready = await fetch(`http://127.0.0.1:${Number(port)}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toContain('DB index is out of range');
  expect(await redis.client.dbsize()).toBe(0);
  expect(await redis.client.info('commandstats')).not.toMatch(/^cmdstat_(?:evalsha|eval|set|bzpopmin|hget):/m);
});

test('a database the server has · holds everything · and so it does after a restart', async () => {
  const queue = await open(at('?db=3'), 'work');
  expect((await queue.deliveries.accept(aRun(1), 1)).kind).toBe('accepted');
  await redis.kill();
  await redis.start();
  expect((await queue.deliveries.accept(aRun(2), 1)).kind).toBe('accepted');
  expect(await keysOf(0)).toEqual([]);
  expect((await keysOf(3)).length).toBeGreaterThan(2);
});

test('a restart with fewer databases · is noticed by connections that were good · before they write', async () => {
  const queue = await open(at('?db=15'), 'answer');
  expect((await queue.deliveries.accept(aRun(1), 1)).kind).toBe('accepted');
  await redis.kill();
  await redis.start('--databases', '4', '--appendonly', 'no');
  await until('it is told', async () => (await trouble(queue)).includes('DB index is out of range'));
  await expect(queue.deliveries.accept(aRun(2), 1)).rejects.toThrow();
  expect(await redis.client.dbsize()).toBe(0);
});

test('a user without the right to SELECT · writes to no other database', async () => {
  await redis.client.call('ACL', 'SETUSER', 'bridge', 'on', '>pw', '~*', '+@all', '-select');
  const access = { username: 'bridge', password: { kind: 'given' as const, value: toSecret('pw') }, tls: false };
  const queue = await open({ ...at('?db=2'), access }, 'answer');
  expect(await trouble(queue)).toMatch(/^failing: takes no writes: NOPERM/);
  await expect(queue.deliveries.accept(aRun(1), 1)).rejects.toThrow();
  expect(await redis.client.dbsize()).toBe(0);
});

test('a password that is wrong from the next connection on · is reported · and a changed file helps without a restart', async () => {
  const path = join(redis.directory, 'password');
  await writeFile(path, ' first \n');
  await redis.client.config('SET', 'requirepass', 'first');
  await redis.client.auth('first');
  const access = { username: null, password: { kind: 'file' as const, path }, tls: false };
  for (const purpose of ['answer', 'work'] as const) {
    const queue = await open({ ...at(''), access }, purpose);
    expect((await queue.deliveries.accept(aRun(purpose), 1)).kind).toBe('accepted');
  }
  const [answering, working] = await Promise.all(
    (['answer', 'work'] as const).map((purpose) => open({ ...at(''), access }, purpose)),
  );
  await redis.client.config('SET', 'requirepass', 'second');
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  for (const queue of [answering, working]) {
    await until('it is told', async () => queue && (await trouble(queue)).includes('WRONGPASS'));
  }
  await writeFile(path, 'second\n');
  for (const queue of [answering, working]) {
    await until('it is well', async () => queue && (await readinessOf(queue)).status === 'ok');
  }
});

test('what an address names itself · comes before the variables', async () => {
  await redis.client.call('ACL', 'SETUSER', 'own', 'on', '>its-own', '~*', '+@all');
  await redis.client.config('SET', 'requirepass', 'other');
  await redis.client.auth('other');
  const access = { username: 'nobody', password: { kind: 'given' as const, value: toSecret('wrong') }, tls: false };
  const url = toSecret(`unix://own:its-own@${redis.directory}/redis.sock`);
  const queue = await open({ kind: 'single', url, access }, 'answer');
  expect(await readinessOf(queue)).toMatchObject({ status: 'ok' });
  expect(await queue.redis.call('ACL', 'WHOAMI')).toBe('own');
});
