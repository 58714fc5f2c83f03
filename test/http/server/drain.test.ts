// The end of a process and of a connection, as a load balancer sees them: not ready first, serving on, then gone; idle connections kept as said.
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runResult, sign } from '../../support/device.ts';
import { GROUP_KEY } from '../../support/device.ts';
import { startApi, startProcess, type TestProcess } from '../../support/process.ts';
import { accepts } from '../../support/proxies.ts';
import { openSocket, parseAnswer, readAll, send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const DRAIN_MS = 1500;
const LIVEZ = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';

let redis: TestRedis;
const processes: TestProcess[] = [];

beforeEach(async () => {
  redis = await startTestRedis();
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.close()));
  await redis.close();
});

async function start(which: 'api' | 'worker', env: Record<string, string>) {
  const common = { REDIS_URL: redis.url, HOST: '127.0.0.1', DEVICE_GROUP_KEYS: GROUP_KEY, ...env };
  const started =
    which === 'api'
      ? (await startApi(common)).api
      : startProcess('workers/main.ts', {
          ...common,
          WORKER_PORT: '0',
          AZURE_TENANT_ID: '00000000-0000-0000-0000-000000000001',
          AZURE_CLIENT_ID: '00000000-0000-0000-0000-000000000002',
          AZURE_CLIENT_SECRET: 'never-used',
        });
  processes.push(started);
  const port = Number((await started.line(which === 'api' ? 'listening' : 'working'))['port']);
  await until('it is ready', async () => (await send({ port, method: 'GET', path: '/readyz' })).status === 200);
  return { process: started, port };
}

/** One request over a kept connection. */
async function ask(port: number, agent: Agent, method: string, path: string, headers = {}, body = '') {
  const outgoing = request({ host: '127.0.0.1', port, agent, method, path, headers }).end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks = await answer.toArray();
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks as Buffer[]).toString() };
}

test('the API asked to stop · fails its readiness at once, serves on and says close · and ends when drained', async () => {
  const { process, port } = await start('api', { DRAIN_MS: String(DRAIN_MS) });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect((await ask(port, agent, 'GET', '/livez')).headers.connection).toBe('keep-alive');
  const idle = await openSocket(port);
  idle.write(LIVEZ);
  await once(idle, 'data');

  const askedAt = performance.now();
  process.signal('SIGTERM');
  await process.line('stopping');
  const ready = await ask(port, agent, 'GET', '/readyz');
  expect(ready).toMatchObject({ status: 503, headers: { connection: 'close' } });
  expect(JSON.parse(ready.body)).toMatchObject({
    status: 'failing',
    checks: { process: { ok: false }, redis: { ok: true } },
  });
  const body = JSON.stringify(runResult());
  const headers = { 'Content-Type': 'application/json', ...sign({ body }) };
  expect(await ask(port, agent, 'POST', '/v1/run-results', headers, body)).toMatchObject({
    status: 202,
    headers: { connection: 'close' },
  });
  expect(await ask(port, agent, 'GET', '/nothing')).toMatchObject({ status: 404, headers: { connection: 'close' } });
  expect(await ask(port, agent, 'GET', '/livez')).toMatchObject({ status: 200 });
  // A connection from before is served as well, once.
  idle.write(LIVEZ);
  expect(parseAnswer(await readAll(idle))).toMatchObject({ status: 200, headers: { connection: 'close' } });
  expect(await accepts(port)).toBe(true);

  expect(await process.ended).toBe(0);
  const tookMs = performance.now() - askedAt;
  expect(tookMs).toBeGreaterThan(DRAIN_MS - 20);
  expect(await accepts(port)).toBe(false);
  agent.destroy();
});

test('a worker asked to stop · takes no more work, its health port not ready and serving on · and ends when drained', async () => {
  const { process, port } = await start('worker', { DRAIN_MS: String(DRAIN_MS) });
  const askedAt = performance.now();
  process.signal('SIGTERM');
  await process.line('stopping');
  expect(await send({ port, method: 'GET', path: '/readyz' })).toMatchObject({
    status: 503,
    headers: { connection: 'close' },
    body: { status: 'failing', checks: { process: { ok: false } } },
  });
  expect(await send({ port, method: 'GET', path: '/livez' })).toMatchObject({ status: 200 });
  expect(await process.ended).toBe(0);
  expect(performance.now() - askedAt).toBeGreaterThan(DRAIN_MS - 20);
});

test.each(['api', 'worker'] as const)('without DRAIN_MS · the %s · ends at once', async (which) => {
  const { process, port } = await start(which, {});
  const askedAt = performance.now();
  process.signal('SIGTERM');
  expect(await process.ended).toBe(0);
  expect(performance.now() - askedAt).toBeLessThan(5000);
  expect(await accepts(port)).toBe(false);
});

test.each(['api', 'worker'] as const)(
  'an idle connection to the %s · is kept for KEEP_ALIVE_TIMEOUT_MS · and said to be',
  async (which) => {
    const { port } = await start(which, { KEEP_ALIVE_TIMEOUT_MS: '3000' });
    const socket = await openSocket(port);
    socket.write(LIVEZ);
    const answeredAt = performance.now();
    const text = await readAll(socket);
    expect(text).toMatch(/^keep-alive: timeout=3\r$/im);
    const keptMs = performance.now() - answeredAt;
    // What a client was told it may rely on, and a second more, so that its last request is not cut.
    expect(keptMs).toBeGreaterThan(2900);
    expect(keptMs).toBeLessThan(6000);
    socket.destroy();
  },
);
