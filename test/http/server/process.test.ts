// The API as a process: how it starts, what it says when it cannot, how it survives Redis, how it ends, what it never logs.
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OPERATOR_TOKEN } from '../../support/app.ts';
import { DEVICE_ID, GROUP_KEY, OLD_GROUP_KEY, runResult, sign } from '../../support/device.ts';
import { startApi, startProcess, type TestProcess } from '../../support/process.ts';
import { exchange, openSocket, send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { submitTo } from '../../support/submit.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
const processes: TestProcess[] = [];

beforeEach(async () => {
  redis = await startTestRedis();
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.close()));
  await redis.close();
});

/** Starts the API, and waits until it has Redis unless told otherwise. */
async function start(env: Record<string, string> = {}, { ready = true } = {}) {
  const started = await startApi({
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: `${GROUP_KEY},${OLD_GROUP_KEY}`,
    OPERATOR_TOKEN,
    ...env,
  });
  processes.push(started.api);
  const isReady = async () => (await send({ port: started.port, method: 'GET', path: '/readyz' })).status === 200;
  if (ready) await until('the API is ready', isReady);
  return started;
}

function startBroken(env: Record<string, string>): TestProcess {
  const broken = startProcess('src/main.ts', env);
  processes.push(broken);
  return broken;
}

const submit = (port: number, changes: Record<string, unknown> = {}) => {
  const body = JSON.stringify(runResult(changes));
  return submitTo(port, body);
};

test('PORT=0 · picks a free port · and the start line logs it', async () => {
  const { api, port } = await start();
  expect(port).toBeGreaterThan(1023);
  expect(await api.line('listening')).toMatchObject({ level: 'info', process: 'api', host: '127.0.0.1', port });
  expect(await submit(port)).toMatchObject({ status: 202 });
  expect(await api.line('durability in force')).toMatchObject({ level: 'info', durability: 'always' });
});

test('a configuration with faults · ends the process with 78 · naming every variable and no value', async () => {
  const values = {
    PORT: 'port-as-value',
    DEVICE_GROUP_KEYS: 'c2hvcnQ=,not-base64-but-secret',
    OPERATOR_TOKEN: 'short-secret-token',
    REDIS_URL: 'http://user:hunter2@redis',
    MAX_BODY_BYTES: '-17',
    LOG_LEVEL: 'chatty',
    AZURE_CLIENT_SECRET: 'never-shown-secret',
  };
  const broken = startBroken(values);
  expect(await broken.ended).toBe(78);
  const [line] = broken.lines;
  expect(broken.lines).toHaveLength(1);
  expect(line).toMatchObject({ level: 'fatal', msg: 'the configuration is not usable' });
  const faults = line?.['faults'] as string[];
  const named = ['PORT', 'DEVICE_GROUP_KEYS', 'OPERATOR_TOKEN', 'REDIS_URL', 'MAX_BODY_BYTES', 'LOG_LEVEL'];
  expect(faults.map((fault) => fault.split(' ')[0]).sort()).toEqual(named.sort());
  for (const value of Object.values(values)) expect(broken.stdout() + broken.stderr()).not.toContain(value);
});

test('no configuration · ends the process with 78 · naming what is required', async () => {
  const broken = startBroken({});
  expect(await broken.ended).toBe(78);
  expect(broken.lines).toMatchObject([{ faults: ['DEVICE_GROUP_KEYS is required'] }]);
});

test.each<[string, () => Promise<void> | void, () => Promise<void> | void]>([
  ['away', () => redis.kill(), () => redis.start()],
  ['hung', () => redis.signal('SIGSTOP'), () => redis.signal('SIGCONT')],
])('Redis %s at the start · is no reason not to start · and mends itself', async (_how, lose, mend) => {
  await lose();
  const { port } = await start({}, { ready: false });
  expect(await submit(port)).toMatchObject({ status: 503, body: { code: 'queue-unavailable' } });
  expect(await send({ port, method: 'GET', path: '/readyz' })).toMatchObject({
    status: 503,
    body: { status: 'failing' },
  });
  expect(await send({ port, method: 'GET', path: '/livez' })).toMatchObject({ status: 200 });
  await mend();
  await until('a submission is accepted', async () => (await submit(port)).status === 202, 2000);
  expect(await send({ port, method: 'GET', path: '/readyz' })).toMatchObject({ status: 200, body: { status: 'ok' } });
});

test('SIGTERM in the middle of a request · lets it finish · and the process ends with 0', async () => {
  const { api, port } = await start();
  const body = JSON.stringify(runResult());
  const sent = httpRequest({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/v1/run-results',
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      Expect: '100-continue',
      ...sign({ body }),
    },
  });
  const idle = await openSocket(port);
  sent.flushHeaders();
  await once(sent, 'continue');
  api.signal('SIGTERM');
  await api.line('stopping');
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(202);
  answer.resume();
  expect(await api.ended).toBe(0);
  idle.destroy();
  expect(api.lines.at(-1)).toMatchObject({ msg: 'stopped' });
  expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe('1');
  expect(api.stderr()).toBe('');
});

test('SIGTERM while Redis is away · ends the process with 0 · all the same', async () => {
  const { api } = await start();
  await redis.kill();
  api.signal('SIGTERM');
  expect(await api.ended).toBe(0);
});

test('a run with every kind of answer · leaves no secret and nothing a device wrote · in any log line', async () => {
  const { api, port } = await start({ LOG_LEVEL: 'trace' });
  const secrets = {
    output: 'OUTPUT-of-the-device',
    error: 'ERROR-of-the-device',
    upn: 'someone.private@contoso.example',
    deviceName: 'NAME-of-the-device',
  };
  const accepted = await submit(port, secrets);
  expect(accepted.status).toBe(202);
  const { deliveryId } = accepted.body as { deliveryId: string };
  expect((await submit(port, secrets)).status).toBe(200);
  expect((await submit(port, { ...secrets, exitCode: 5 })).status).toBe(409);
  expect((await submit(port, { ...secrets, upn: 7, policyVersion: 'POLICY-of-the-device' })).status).toBe(422);
  expect((await submit(port, { ...secrets, deviceId: 'OTHER-device' })).status).toBe(403);
  const body = JSON.stringify(runResult(secrets));
  const wrong = {
    ...sign({ body, groupKey: 'YW5vdGhlciBncm91cCBrZXkgYWx0b2dldGhlcg==' }),
    Authorization: 'Bearer wrong-TOKEN',
  };
  const headers = { 'Content-Type': 'application/json', ...wrong };
  expect((await send({ port, method: 'POST', path: '/v1/run-results', headers, body })).status).toBe(401);
  expect((await send({ port, method: 'POST', path: '/v1/run-results', headers, body: body.slice(0, -1) })).status).toBe(
    401,
  );
  const broken = body.slice(0, -1);
  const signed = { 'Content-Type': 'application/json', ...sign({ body: broken }) };
  expect((await send({ port, method: 'POST', path: '/v1/run-results', headers: signed, body: broken })).status).toBe(
    400,
  );
  const path = `/v1/deliveries/${deliveryId}`;
  const operator = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
  expect((await send({ port, method: 'GET', path, headers: operator })).status).toBe(200);
  expect((await send({ port, method: 'GET', path: '/v1/status', headers: operator })).status).toBe(200);
  expect((await send({ port, method: 'GET', path: '/SECRET-path?token=SECRET-query' })).status).toBe(404);
  expect((await exchange(port, `GARBAGE ${body}\r\n\r\n`)).status).toBe(400);
  await redis.client.config('SET', 'maxmemory', '1mb');
  expect((await submit(port, { ...secrets, runId: 'run-full' })).status).toBe(503);
  await redis.client.config('SET', 'maxmemory', '0');
  await redis.kill();
  expect((await submit(port, { ...secrets, runId: 'run-away' })).status).toBe(503);
  await redis.start();
  await until(
    'a submission is accepted',
    async () => (await submit(port, { ...secrets, runId: 'run-back' })).status === 202,
  );
  redis.signal('SIGSTOP');
  const hung = submit(port, { ...secrets, runId: 'run-hung' });
  expect((await hung).status).toBe(503);
  redis.signal('SIGCONT');
  api.signal('SIGTERM');
  expect(await api.ended).toBe(0);

  const written = api.stdout() + api.stderr();
  expect(api.lines.filter(({ msg }) => msg === 'submission').length).toBeGreaterThan(10);
  expect(written).toContain(DEVICE_ID);
  const never = [
    ...Object.values(secrets),
    'POLICY-of-the-device',
    'OTHER-device',
    'wrong-TOKEN',
    'SECRET-path',
    'SECRET-query',
    'GARBAGE',
    OPERATOR_TOKEN,
    GROUP_KEY,
    OLD_GROUP_KEY,
    sign({ body }).Signature.slice(8, -1),
    sign({ body })['Content-Digest'] ?? 'sha-256',
  ];
  expect(never.filter((secret) => written.includes(secret))).toEqual([]);
  expect(api.stderr()).toBe('');
});

test('a sender that goes away in the middle · is one log line · and nothing on stderr', async () => {
  const { api, port } = await start();
  const socket = await openSocket(port);
  const body = JSON.stringify(runResult());
  const fields = { ...sign({ body }), 'Content-Type': 'application/json', 'Content-Length': body.length, Host: 'x' };
  const lines = Object.entries({ ...fields, Expect: '100-continue', 'X-Request-Id': 'went-away' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`POST /v1/run-results HTTP/1.1\r\n${head}\r\n`);
  await once(socket, 'data');
  socket.resetAndDestroy();
  const logged = await until('it is told', () => api.lines.find((line) => line['requestId'] === 'went-away'));
  expect(logged).toMatchObject({ msg: 'submission', outcome: 'refused', code: 'bad-request' });
  api.signal('SIGTERM');
  expect(await api.ended).toBe(0);
  expect(api.stderr()).toBe('');
});
