// Embedded Redis: started by the first, joined by the second, stopped by the last, revived after a crash.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { socketPath, startEmbeddedRedis, type EmbeddedRedis } from '../../src/queue/embedded.ts';
import { inspectRedis } from '../../src/queue/health.ts';
import { until } from '../support/until.ts';

let directory: string;
let opened: EmbeddedRedis[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runstate-embedded-'));
  opened = [];
});
afterEach(async () => {
  for (const embedded of opened) await embedded.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(where = directory): Promise<EmbeddedRedis> {
  const embedded = await startEmbeddedRedis(where);
  opened.push(embedded);
  return embedded;
}

async function withClient<T>(use: (client: Redis) => Promise<T>, where = directory): Promise<T> {
  const client = new Redis({ path: socketPath(where), retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}
const processId = (where = directory) =>
  withClient(async (client) => Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]), where);
const isUp = () =>
  withClient((client) => client.ping()).then(
    () => true,
    () => false,
  );

test('an embedded server · fsyncs every write before it answers · and evicts nothing', async () => {
  await start();
  expect(await withClient(inspectRedis)).toMatchObject({ durability: 'always', maxmemoryPolicy: 'noeviction' });
});

test('five that start at once · share one server', async () => {
  await Promise.all(Array.from({ length: 5 }, () => start()));
  const pids = await Promise.all([processId(), processId()]);
  expect(pids[0]).toBe(pids[1]);
});

test('the server · stays while somebody uses it · and goes with the last', async () => {
  const first = await start();
  const user = new Redis({ path: socketPath(directory) });
  await user.ping();
  await first.close();
  expect(await isUp()).toBe(true);
  const gone = new Promise((resolve) => user.once('end', resolve));
  user.disconnect();
  await gone;
  await until('the user has left', async () => {
    const clients = await withClient((client) => client.info('clients'));
    return clients.includes('connected_clients:1\r');
  });
  await first.close();
  await until('the server is gone', async () => !(await isUp()));
});

test('a crashed server · is started again with everything it acknowledged', async () => {
  const embedded = await start();
  await withClient((client) => client.set('kept', 'yes'));
  process.kill(await processId(), 'SIGKILL');
  await until('the server is gone', async () => !(await isUp()));
  await embedded.ensure();
  expect(await withClient((client) => client.get('kept'))).toBe('yes');
});

test('a directory too deep for a socket · works all the same', async () => {
  const deep = join(directory, 'd'.repeat(60), 'e'.repeat(60));
  await start(deep);
  expect(await processId(deep)).toBeGreaterThan(0);
});

test('a redis-server that does not come up · is said in one clear line · that names its log', async () => {
  await writeFile(join(directory, 'redis-server'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  vi.stubEnv('PATH', directory);
  try {
    await expect(startEmbeddedRedis(directory)).rejects.toThrow(
      `${join(directory, 'redis-server')} does not come up; its log is ${join(directory, 'redis.log')}`,
    );
  } finally {
    vi.unstubAllEnvs();
  }
});
