// The listener: slow, broken and oversized requests are refused as problems, nobody holds a connection, closing waits for answers.
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { listen, type App, type Listener } from '../../../src/http/server.ts';
import { startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { expectHeaders, type Answer } from '../../support/answer.ts';
import { runResult, sign } from '../../support/device.ts';
import { exchange, openSocket, parseAnswer, readAll } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const LIMITS = { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 20 };
const BODY = JSON.stringify(runResult());

let redis: TestRedis;
let world: TestApp;
let listener: Listener;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis);
  await untilConnected(world);
});
beforeEach(async () => {
  listener = await listen(world.app, {
    host: '127.0.0.1',
    port: 0,
    onRefused: world.connectionRefused,
    limits: LIMITS,
  });
});
afterEach(async () => {
  await listener.close();
  await redis.client.flushall();
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

/** A whole submission as it looks on the wire. */
function wire(headers: Record<string, string> = {}, body = BODY): string {
  const fields = { Host: 'bridge', 'Content-Type': 'application/json', ...sign({ body: BODY }), ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return ['POST /v1/run-results HTTP/1.1', ...lines, '', body].join('\r\n');
}
const length = { 'Content-Length': String(Buffer.byteLength(BODY)) };

/** Asserts a refusal of what Express never saw, or not whole. */
function expectBroken(answer: Answer, status: number, code: string, detail: string): void {
  const requestId = answer.headers['x-request-id'];
  expect(answer).toMatchObject({
    status,
    headers: { connection: 'close' },
    body: { type: `urn:runstate-bridge:problem:${code}`, status, code, detail, requestId },
  });
  expect(Object.keys(answer.body as object).sort()).toEqual(['code', 'detail', 'requestId', 'status', 'title', 'type']);
  expect(String(answer.headers['content-type'])).toMatch(/^application\/problem\+json/);
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  expectHeaders(answer);
}

const TOO_SLOW = [408, 'request-timeout', 'the request did not arrive in time'] as const;
const UNREADABLE = [400, 'bad-request', 'the request cannot be read as HTTP/1.1'] as const;

test.each([
  ['no bytes at all', ''],
  ['half a request line', 'POST /v1/run-'],
  ['half its header fields', 'POST /v1/run-results HTTP/1.1\r\nHost: bridge\r\nX-Slow: '],
  ['no header field but a request line', 'POST /v1/run-results HTTP/1.1\r\n'],
])('a sender of %s · is refused as request-timeout · when the time for header fields is over', async (_what, bytes) => {
  const startedAt = performance.now();
  const answer = await exchange(listener.port, bytes);
  expectBroken(answer, ...TOO_SLOW);
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThan(LIMITS.headersTimeout - 20);
  expect(tookMs).toBeLessThan(2000);
});

test('a sender of half a body · is refused as request-timeout · reported and counted, and nothing is stored', async () => {
  const before = await world.counted('request-timeout');
  const accepted = await world.counted('accepted');
  const answer = await exchange(listener.port, wire(length, BODY.slice(0, 20)));
  expectBroken(answer, ...TOO_SLOW);
  expect(await world.told(answer.headers['x-request-id'])).toMatchObject({
    msg: 'submission',
    status: 408,
    outcome: 'refused',
    code: 'request-timeout',
  });
  expect(await world.counted('request-timeout')).toBe(before + 1);
  expect(await world.counted('accepted')).toBe(accepted);
  expect(await redis.countStored()).toBe(0);
});

test('a sender of one byte now and then · does not win time by it · and is refused as request-timeout', async () => {
  const socket = await openSocket(listener.port);
  socket.write(wire(length, ''));
  const dripping = setInterval(() => socket.write('x'), 30);
  const answer = parseAnswer(await readAll(socket));
  clearInterval(dripping);
  socket.destroy();
  expectBroken(answer, ...TOO_SLOW);
});

test.each([
  ['was too slow', ''],
  ['spoke no HTTP', 'what is this\r\n\r\n'],
])('a sender that %s and does not hang up · is hung up on · so that it holds no connection', async (_what, bytes) => {
  await until('earlier connections are gone', () => openConnections() === 0);
  const socket = await openSocket(listener.port);
  socket.write(bytes);
  await readAll(socket);
  expect(openConnections()).toBe(2);
  await until('only the sender’s end is left', () => openConnections() === 1, 4000);
  socket.destroy();
});

/** Ends of connections in this process, which is both sender and listener. */
const openConnections = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

test.each([
  ['text that is no HTTP', 'GIMME\r\n\r\n'],
  ['binary', Buffer.from('160301020001000201fc0303', 'hex')],
  ['another protocol version', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n'],
  ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a header field without a colon', 'GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
  ['two lengths', wire({ ...length, 'content-length': '3' })],
  ['a length and chunks', wire({ ...length, 'Transfer-Encoding': 'chunked' })],
  ['a length below zero', wire({ 'Content-Length': '-1' })],
  ['broken chunks', wire({ 'Transfer-Encoding': 'chunked' }, 'zz\r\n')],
])('%s · is refused as bad-request · and nothing is stored', async (_what, bytes) => {
  expectBroken(await exchange(listener.port, bytes), ...UNREADABLE);
  expect(await redis.countStored()).toBe(0);
});

test.each([
  ['request-timeout', 'POST /v1/run-'],
  ['bad-request', 'GIMME\r\n\r\n'],
  ['headers-too-large', wire({ ...length, 'X-Long': 'x'.repeat(17_000) })],
  ['method-not-allowed', 'CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: x\r\n\r\n'],
])('a sender refused as %s before there is a request · is told once, by its id · and counted', async (code, bytes) => {
  const before = await world.refusedConnections(code);
  const { headers } = await exchange(listener.port, bytes);
  const requestId = headers['x-request-id'];
  expect(await world.told(requestId)).toMatchObject({ level: 30, msg: 'connection refused', code });
  expect(world.lines.filter((line) => line['requestId'] === requestId)).toHaveLength(1);
  expect(await world.refusedConnections(code)).toBe(before + 1);
});

test('connections beyond the limit · are dropped and counted · and one line a second tells of them', async () => {
  const narrow = await listen(world.app, {
    host: '127.0.0.1',
    port: 0,
    onRefused: world.connectionRefused,
    limits: { maxConnections: 2 },
  });
  const silent = await Promise.all([1, 2].map(() => openSocket(narrow.port)));
  const crowd = await Promise.all([1, 2, 3].map(() => openSocket(narrow.port)));
  expect(await Promise.all(crowd.map(readAll))).toEqual(['', '', '']);
  expect(await world.refusedConnections('connection-dropped')).toBe(3);
  const dropped = world.lines.filter(({ code }) => code === 'connection-dropped');
  expect(dropped).toMatchObject([{ msg: 'connection refused', requestId: null }]);
  for (const socket of [...silent, ...crowd]) socket.destroy();
  await narrow.close();
});

test('a connection beyond the limit · takes the place of one that is kept alive for nothing · at its next try', async () => {
  const narrow = await listen(world.app, {
    host: '127.0.0.1',
    port: 0,
    onRefused: world.connectionRefused,
    limits: { maxConnections: 2 },
  });
  const silent = await openSocket(narrow.port);
  const idle = await openSocket(narrow.port);
  idle.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(idle, 'data');
  const dropped = await openSocket(narrow.port);
  expect(await readAll(dropped)).toBe('');
  await readAll(idle);
  idle.destroy();
  const next = await exchange(narrow.port, 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  expect(next.status).toBe(200);
  for (const socket of [silent, dropped]) socket.destroy();
  await narrow.close();
});

test('HTTP/1.1 without Host · is refused as bad-request · in the form of every refusal', async () => {
  const answer = await exchange(listener.port, 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n');
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'bad-request', requestId: answer.headers['x-request-id'] },
    headers: { 'content-type': 'application/problem+json; charset=utf-8' },
  });
  expect(await exchange(listener.port, 'GET /livez HTTP/1.0\r\n\r\n')).toMatchObject({ status: 200 });
});

test('an expectation nobody knows · is ignored · and the request answered', async () => {
  const answer = await exchange(listener.port, wire({ ...length, Expect: 'miracles', Connection: 'close' }));
  expect(answer).toMatchObject({ status: 202, body: { runId: 'run-1' } });
});

test('a sender that asks before it sends · is told to go on · and then answered', async () => {
  const socket = await openSocket(listener.port);
  socket.write(wire({ ...length, Expect: '100-continue', Connection: 'close' }, ''));
  const [first] = (await once(socket, 'data')) as [Buffer];
  expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  socket.write(BODY);
  expect(parseAnswer(await readAll(socket))).toMatchObject({ status: 202 });
});

test('a request for a tunnel · is refused as method-not-allowed · and cut', async () => {
  const answer = await exchange(listener.port, 'CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(answer).toMatchObject({ status: 405, body: { code: 'method-not-allowed' } });
});

test('a request for a tunnel, and then a reset · is handled · by both listeners', async () => {
  const socket = await openSocket(listener.port);
  socket.write('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.resetAndDestroy();
  await until('it was refused', () => world.lines.some(({ code }) => code === 'method-not-allowed'));
  expect(await exchange(listener.port, 'GET /livez HTTP/1.0\r\n\r\n')).toMatchObject({ status: 200 });
});

test('a request for a tunnel behind another request · is refused · when that one is answered', async () => {
  const socket = await openSocket(listener.port);
  socket.write(`${wire(length)}CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n`);
  const text = await readAll(socket);
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 405']);
  socket.destroy();
});

test('a request for another protocol · is answered as if it had not asked · over HTTP/1.1', async () => {
  const upgrade = { ...length, Connection: 'Upgrade', Upgrade: 'websocket' };
  const socket = await openSocket(listener.port);
  socket.write(wire(upgrade));
  const [first] = (await once(socket, 'data')) as [Buffer];
  expect(parseAnswer(first.toString())).toMatchObject({ status: 202, body: { runId: 'run-1' } });
  socket.destroy();
});

test.each([
  ['one header field', { 'X-Long': 'x'.repeat(17_000) }],
  ['many header fields', Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`X-${n}`, 'x'.repeat(50)]))],
])('%s of more than 16 KiB · are refused as headers-too-large · and nothing is stored', async (_what, headers) => {
  const answer = await exchange(listener.port, wire({ ...length, ...headers }));
  expectBroken(answer, 431, 'headers-too-large', 'send fewer or shorter header fields');
  expect(await redis.countStored()).toBe(0);
});

test('a path of more than 16 KiB · is refused as headers-too-large · not routed', async () => {
  const answer = await exchange(listener.port, `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  expectBroken(answer, 431, 'headers-too-large', 'send fewer or shorter header fields');
});

test('an address with half a host · is refused as bad-request · though Express cannot route it', async () => {
  const answer = await exchange(
    listener.port,
    'GET http://[::1/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  expectBroken(answer, 400, 'bad-request', 'the address cannot be read');
  expect(await world.refusedConnections('bad-request')).toBeGreaterThan(0);
});

test('two requests in one go · are answered in order · on one connection', async () => {
  const socket = await openSocket(listener.port);
  socket.write(wire(length) + wire({ ...length, Connection: 'close' }));
  const text = await readAll(socket);
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 200']);
});

test('a sender that says it is done, behind its requests · hears every answer · and the connection ends', async () => {
  const socket = await openSocket(listener.port);
  socket.end(wire(length).repeat(3));
  const text = await readAll(socket);
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 200', 'HTTP/1.1 200']);
});

test('a port that is taken · is an error of the caller’s · and not waited for', async () => {
  await expect(
    listen(world.app, { host: '127.0.0.1', port: listener.port, onRefused: world.connectionRefused }),
  ).rejects.toThrow('EADDRINUSE');
});

test('closing · lets what is under way finish · and takes nothing new', async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<undefined>();
  const closing = await listen(
    (req, res) => {
      arrive(undefined);
      world.app(req, res);
    },
    { host: '127.0.0.1', port: 0, onRefused: world.connectionRefused },
  );
  const agent = new Agent({ keepAlive: true });
  const headers = { 'Content-Type': 'application/json', ...length, ...sign({ body: BODY }) };
  const { port } = closing;
  const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: '/v1/run-results', agent, headers });
  sent.write(BODY.slice(0, 10));
  await arrived;
  const closed = closing.close();
  await expect(openSocket(port)).rejects.toThrow('ECONNREFUSED');
  sent.end(BODY.slice(10));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  expect(answer).toMatchObject({ statusCode: 202, headers: { connection: 'close' } });
  answer.resume();
  await once(answer, 'end');
  await withinMs(closed, 2000);
  agent.destroy();
});

test('a caller that resets its connection before its answer · is reported as such · and not counted as accepted', async () => {
  const accepted = await world.counted('accepted');
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<undefined>();
  const { promise: left, resolve: leave } = Promise.withResolvers<undefined>();
  const closing = await listen(
    (req, res) => {
      world.app(req, res);
      req.once('end', () => arrive(undefined));
      res.once('close', () => leave(undefined));
    },
    { host: '127.0.0.1', port: 0, onRefused: world.connectionRefused },
  );
  redis.signal('SIGSTOP');
  try {
    const socket = await openSocket(closing.port);
    socket.write(wire({ ...length, 'X-Request-Id': 'hung-up' }));
    await arrived;
    socket.resetAndDestroy();
    await left;
    expect(await world.told('hung-up')).toMatchObject({
      status: 400,
      outcome: 'refused',
      code: 'bad-request',
      reason: 'the caller hung up before its answer',
    });
    expect(await world.counted('accepted')).toBe(accepted);
  } finally {
    redis.signal('SIGCONT');
    await closing.close();
  }
});

test('garbage behind a whole request · does not take its answer away · and ends the connection', async () => {
  const socket = await openSocket(listener.port);
  socket.write(`${wire(length)}\r\nGARBAGE`);
  const text = await readAll(socket);
  expect(text.match(/HTTP\/1\.1 \d+/g)?.[0]).toBe('HTTP/1.1 202');
  socket.destroy();
});

test('closing · does not wait for connections that say nothing · be they new, half-spoken or kept alive', async () => {
  const silent = await openSocket(listener.port);
  const halfSpoken = await openSocket(listener.port);
  halfSpoken.write('GET /livez HTT');
  const keptAlive = await openSocket(listener.port);
  keptAlive.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(keptAlive, 'data');
  await withinMs(listener.close(), 2000);
  for (const socket of [silent, halfSpoken, keptAlive]) socket.destroy();
});

/** A caller that asks for much and reads none of it. */
async function openDeaf(port: number): Promise<Socket> {
  const socket = (await openSocket(port)).pause();
  socket.write('GET /much HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(300));
  return socket;
}
const MUCH = 'x'.repeat(100_000);
/** A service with much to tell at once, and with something that takes a while. */
const talk: App = (req, res) => {
  if (req.url === '/much') res.end(MUCH);
  else setTimeout(() => res.end('late'), 2500);
};
const answered = (text: string) => text.split('HTTP/1.1 200').length - 1;

test('a caller that does not read · is cut · and one that is slow to be answered is not', async () => {
  const impatient = await listen(talk, {
    host: '127.0.0.1',
    port: 0,
    onRefused: world.connectionRefused,
    limits: { unmovedTimeout: 1000 },
  });
  const slow = await openSocket(impatient.port);
  slow.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const deaf = await openDeaf(impatient.port);
  expect(await readAll(slow)).toMatch(/late$/);
  // By now it was cut: what is still to be read is what was on its way, if that.
  expect(answered(await readAll(deaf.resume()).catch(() => 'cut'))).toBeLessThan(300);
  deaf.destroy();
  await impatient.close();
});

test('many requests in one go, and nobody reads · are taken up one after the other · those that are read all answered', async () => {
  let made = 0;
  const app: App = (_req, res) => {
    made += 1;
    res.end(MUCH);
  };
  const patient = await listen(app, { host: '127.0.0.1', port: 0, onRefused: world.connectionRefused });
  const deaf = await openDeaf(patient.port);
  const asked = await openSocket(patient.port);
  asked.write('GET /much HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50));
  asked.end();
  expect(answered(await readAll(asked))).toBe(50);
  // What fits into the buffers on the way counts as gone out.
  expect(made - 50).toBeLessThan(100);
  deaf.destroy();
  await patient.close();
});

test('more requests that wait for others of their connection than there is room for · end it · and leave room for others', async () => {
  const narrow = await listen(talk, {
    host: '127.0.0.1',
    port: 0,
    onRefused: world.connectionRefused,
    limits: { maxPipelined: 10 },
  });
  for (let time = 0; time < 3; time += 1) {
    const greedy = await openSocket(narrow.port);
    greedy.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(12));
    expect(answered(await readAll(greedy))).toBe(0);
  }
  const modest = await openSocket(narrow.port);
  modest.write('GET /much HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(11));
  modest.end();
  expect(answered(await readAll(modest))).toBe(11);
  await narrow.close();
});

test('closing · does not wait for callers that do not read', async () => {
  const closing = await listen(talk, { host: '127.0.0.1', port: 0, onRefused: world.connectionRefused });
  const deaf = await openDeaf(closing.port);
  await once(deaf, 'readable');
  await withinMs(closing.close(), 3000);
  deaf.destroy();
});

async function withinMs(promise: Promise<unknown>, limitMs: number): Promise<void> {
  let done = false;
  void promise.then(() => (done = true));
  await until('it is closed', () => done, limitMs);
}
