// What a worker loads: what it needs for deliveries, health checks and scrapes, and nothing that only the API serves.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { startProcess } from '../support/process.ts';
import { startTestRedis } from '../support/redis.ts';

const ONLY_THE_API = [
  '/node_modules/@bull-board/',
  '/node_modules/@peculiar/',
  '/node_modules/http-message-signatures/',
  '/node_modules/jose/',
  '/node_modules/structured-headers/',
  '/node_modules/swagger-ui-dist/',
  '/node_modules/uplot/',
  '/node_modules/zod-openapi/',
  '/src/api/api.ts',
  '/src/api/dashboard-source.ts',
  '/src/http/app.ts',
  '/src/http/dashboard/',
  '/src/http/identity/',
  '/src/http/openapi/',
];

test('what a worker must not load · is there to be loaded', () => {
  expect(ONLY_THE_API.filter((part) => !existsSync(`.${part}`))).toEqual([]);
});

test('a worker · loads what it needs · and nothing of what only the API serves', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loaded-modules-'));
  const redis = await startTestRedis();
  const sandbox = await createSandbox();
  const list = join(directory, 'modules');
  const worker = startProcess('workers/main.ts', {
    ...sandbox.environment(),
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    WORKER_PORT: '0',
    LOADED_MODULES: list,
    NODE_OPTIONS: `--import ${pathToFileURL('test/support/list-modules.ts').href}`,
  });
  try {
    const { port } = await worker.line('working');
    for (const route of ['livez', 'readyz', 'metrics']) {
      expect((await fetch(`http://127.0.0.1:${Number(port)}/${route}`)).status).toBe(200);
    }
    worker.signal('SIGTERM');
    expect(await worker.ended).toBe(0);
    const loaded = (await readFile(list, 'utf8')).split('\n');
    expect(loaded.filter((url) => ONLY_THE_API.some((part) => url.includes(part)))).toEqual([]);
    expect(loaded.some((url) => url.includes('/node_modules/bullmq/'))).toBe(true);
    expect(loaded.some((url) => url.endsWith('/src/http/routes/health.ts'))).toBe(true);
  } finally {
    await worker.close();
    await sandbox.close();
    await redis.close();
    await rm(directory, { recursive: true, force: true });
  }
}, 30_000);
