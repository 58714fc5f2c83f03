// Full of senders that never finish: devices are turned away at once, and who looks after the service still gets in.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startListeningApp, type ListeningApp } from '../../support/app.ts';
import { DEVICE_ID, runResult, sign } from '../../support/device.ts';
import { openSocket, send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { submitTo } from '../../support/submit.ts';
import { until } from '../../support/until.ts';

const MAX = 3;
const AT_ONCE_MS = 500;

let redis: TestRedis;
let world: ListeningApp;
let hanging: Socket[];
let chance: number;

beforeEach(async () => {
  chance = 0.5;
  redis = await startTestRedis();
  world = await startListeningApp(redis, { env: { MAX_REQUESTS_IN_FLIGHT: String(MAX) }, random: () => chance });
  hanging = await Promise.all(Array.from({ length: MAX }, hang));
  await redis.client.flushall();
});
afterEach(async () => {
  for (const socket of hanging) socket.destroy();
  await world.close();
  await redis.close();
});

/** Half a submission: its other half never comes. Resolves once something was heard of it. */
async function sendHalf(fields: object, path = '/v1/run-results'): Promise<{ socket: Socket; heard: string }> {
  const socket = await openSocket(world.port);
  const all = { Host: 'x', 'Content-Type': 'application/json', 'Content-Length': 1000, ...fields };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  socket.write([`POST ${path} HTTP/1.1`, ...head, '', ''].join('\r\n'));
  const [heard] = (await once(socket, 'data')) as [Buffer];
  return { socket, heard: heard.toString() };
}

/** One that the service waits for. */
async function hang(): Promise<Socket> {
  const { socket, heard } = await sendHalf({ ...sign({ body: '{}' }), Expect: '100-continue' });
  expect(heard).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  return socket;
}

const submit = (headers: Record<string, string> = {}) => {
  const body = JSON.stringify(runResult());
  return submitTo(world.port, body, headers);
};
const get = (path: string, headers: Record<string, string> = {}) =>
  send({ port: world.port, method: 'GET', path, headers });

const OVERLOADED = {
  status: 503,
  code: 'overloaded',
  title: 'Too many requests at once; nothing is promised',
  detail: 'too many requests are in hand; nothing is promised, send it again later',
};

test('one submission too many · is refused as overloaded at once · reported, counted and not stored', async () => {
  const before = await world.counted('overloaded');
  const requestId = expectProblem(await submit(), { ...OVERLOADED, headers: { 'retry-after': '6' } });
  expect(await world.told(requestId)).toMatchObject({
    msg: 'submission',
    status: 503,
    outcome: 'refused',
    code: 'overloaded',
    deviceId: DEVICE_ID,
  });
  expect(await world.counted('overloaded')).toBe(before + 1);
  expect(await redis.countStored()).toBe(0);
});

test('one submission too many · is refused before its body is there', async () => {
  const { socket, heard } = await sendHalf(sign({ body: '{}' }));
  expect(heard).toMatch(/^HTTP\/1\.1 503 /);
  socket.destroy();
});

test('an unknown caller · is told so though all is full · before its body is there', async () => {
  const { socket, heard } = await sendHalf({});
  expect(heard).toMatch(/^HTTP\/1\.1 401 /);
  socket.destroy();
});

test.each(['/v1/run-results', '/v1/run-results/batch'])(
  '%s · half submissions of whoever is not known · take nobody’s place',
  async (path) => {
    for (const socket of hanging) socket.destroy();
    const halves = await Promise.all(Array.from({ length: 10 }, () => sendHalf({ Signature: 'device=:AAAA:' }, path)));
    hanging = halves.map(({ socket }) => socket);
    expect(halves.every(({ heard }) => heard.startsWith('HTTP/1.1 401 '))).toBe(true);
    await until('there is room', async () => (await submit()).status < 300);
    const [one, two] = await Promise.all([submit(), submit()]);
    expect([one.status, two.status]).toEqual([200, 200]);
  },
);

test.each([
  [0, '1'],
  [0.999, '10'],
])('Retry-After · is spread at random · and a chance of %d makes it %s s', async (random, expected) => {
  chance = random;
  expect((await submit()).headers['retry-after']).toBe(expected);
});

test('a device’s question · is refused like its submission · and an operator’s is answered', async () => {
  const path = '/v1/deliveries/d1';
  const signed = sign({ method: 'GET', path, body: null });
  expectProblem(await get(path, signed), { ...OVERLOADED, headers: { 'retry-after': '6' } });
  expect((await get(path, { Authorization: `Bearer ${OPERATOR_TOKEN}` })).status).toBe(404);
  expect((await get(path, { Authorization: 'Bearer something-else' })).status).toBe(401);
});

test.each(['/livez', '/readyz', '/v1/status', '/v1/dead-letters'])(
  '%s · is answered while all is full · at once',
  async (path) => {
    const startedAt = performance.now();
    expect((await get(path, { Authorization: `Bearer ${OPERATOR_TOKEN}` })).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS);
  },
);

test('/metrics · is answered while all is full · with the refusals in it', async () => {
  await submit();
  const answer = await fetch(`http://127.0.0.1:${world.port}/metrics`);
  expect(await answer.text()).toMatch(/^runstate_submissions_total\{outcome="refused",code="overloaded"\} 1$/m);
});

test('callers that do not read their answers · keep nobody from a place · however many they ask for', async () => {
  for (const socket of hanging) socket.destroy();
  const path = '/v1/deliveries/d1';
  const signed = Object.entries(sign({ method: 'GET', path, body: null })).map(([name, value]) => `${name}: ${value}`);
  const asked = ['GET /v1/deliveries/d1 HTTP/1.1', 'Host: x', ...signed, '', ''].join('\r\n');
  for (let deaf = 0; deaf < 2; deaf += 1) {
    const socket = await openSocket(world.port);
    hanging.push(socket.pause());
    // What is in front of them fills all there is between the service and a caller.
    socket.write('GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(300) + asked.repeat(MAX));
  }
  const countOf = (route: string) => world.lines.filter((line) => line['route'] === route).length;
  await until('much of it is answered', () => countOf('/openapi.json') > 20);
  await until('there is room', async () => {
    const answers = await Promise.all(Array.from({ length: MAX }, () => submit()));
    return answers.every(({ status }) => status < 300);
  });
});

test('a sender that goes · makes room · for exactly one', async () => {
  hanging.pop()?.destroy();
  await until('there is room', async () => (await submit()).status === 202);
  hanging.push(await hang());
  expect((await submit()).status).toBe(503);
});

const whole = (connection = 'keep-alive') => {
  const body = JSON.stringify(runResult());
  const fields = { Host: 'x', Connection: connection, 'Content-Type': 'application/json', ...sign({ body }) };
  const head = Object.entries({ ...fields, 'Content-Length': body.length }).map(([name, value]) => `${name}: ${value}`);
  return `POST /v1/run-results HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${body}`;
};
const half = () => whole().slice(0, -1);
const chunked = (chunk: string) =>
  whole().replace(/Content-Length: \d+\r\n\r\n[^]*/, `Transfer-Encoding: chunked\r\n\r\n${chunk}`);

test.each([
  ['garbage behind a whole one', whole() + '\r\n\0garbage\r\n\r\n'],
  ['garbage behind two', whole() + whole() + '\r\n\0garbage\r\n\r\n'],
  ['a broken chunk in one piece with its head', chunked('zz\r\n')],
  ['a chunk, then a broken one', chunked('1\r\n{\r\nzz\r\n')],
  ['many in one breath', whole().repeat(20)],
  ['two, the second in halves', whole() + half()],
  ['a half one', half()],
])('%s, and the sender goes · leaves no place taken', async (_what, bytes) => {
  for (const socket of hanging) socket.destroy();
  for (let times = 0; times < 2 * MAX; times += 1) {
    const socket = await openSocket(world.port);
    socket.write(bytes);
    if (times % 2 === 0) await once(socket, 'data').catch(() => undefined);
    socket.destroy();
  }
  // As many as there are places come in at once again.
  await until('there is room', async () => {
    const answers = await Promise.all(Array.from({ length: MAX }, () => submit()));
    return answers.every(({ status }) => status < 300);
  });
});
