// POST /v1/run-results: every answer of the contract, whole, and what it left in Redis, in the log and in the counter.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import request from 'supertest';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHealthApp } from '../../../src/http/health-app.ts';
import { expectHeaders, expectProblem, type Answer } from '../../support/answer.ts';
import { startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { CONFIGURATION_ID, DEVICE_ID, runResult, sign } from '../../support/device.ts';
import { exchange, openSocket, send } from '../../support/raw-http.ts';
import { readRecord } from '../../support/stored.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { submitTo } from '../../support/submit.ts';
import { waitingJobs } from '../../support/jobs.ts';

let redis: TestRedis;
let world: TestApp;
let port: number;
const NOW = Date.now();
/** MAX_BODY_BYTES where nobody set it. */
const LIMIT = 262_144;
const server = createServer((req, res) => {
  world.app(req, res);
});

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis, { clock: () => NOW });
  await untilConnected(world);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(async () => {
  await redis.client.flushall();
});
afterAll(async () => {
  server.close();
  await world.close();
  await redis.close();
});

const submit = (body: string, headers: Record<string, string> = {}) =>
  request(world.app)
    .post('/v1/run-results')
    .set({ 'Content-Type': 'application/json', ...sign({ body }), ...headers })
    .send(body);

/** Bytes as they are, which supertest would take for an object. */
const submitBytes = (body: Buffer | string, headers: Record<string, string | string[]> = {}) =>
  submitTo(port, body, headers);

async function expectRefused(answer: Answer, problem: Parameters<typeof expectProblem>[1], before: number) {
  const requestId = expectProblem(answer, problem);
  expect(await redis.countStored()).toBe(0);
  const { status, code } = problem;
  expect(await world.told(requestId)).toMatchObject({ msg: 'submission', status, code, outcome: 'refused' });
  expect(await world.counted(code)).toBe(before + 1);
}

test('an acceptable run result · is answered with its receipt · and is stored, reported and counted once', async () => {
  const before = await world.counted('accepted');
  const answer = await submit(JSON.stringify(runResult()));

  const deliveryId = `d${createHash('sha256')
    .update(JSON.stringify(['default', DEVICE_ID, 'run-1']))
    .digest()
    .subarray(0, 16)
    .toString('base64url')}`;
  const acceptedAt = new Date(NOW).toISOString();
  expect(answer.status).toBe(202);
  // A hundred writes in 20 s, and nothing before it.
  const expectedCreateAt = new Date(NOW + 200).toISOString();
  expect(answer.body).toEqual({
    deliveryId,
    runId: 'run-1',
    status: 'queued',
    duplicate: false,
    acceptedAt,
    expectedCreateAt,
  });
  expect(answer.headers).toMatchObject({
    location: `/v1/deliveries/${deliveryId}`,
    'content-type': 'application/json; charset=utf-8',
  });
  expectHeaders(answer, ['location']);

  expect(await readRecord(redis.client, deliveryId)).toEqual({
    rev: expect.stringMatching(/^[1-9]\d*$/) as string,
    letter: 'q',
    acceptedAt: NOW,
    rank: 2,
    life: {},
    run: runResult(),
  });
  expect(await redis.client.zscore('runstate:{default}:in-work', deliveryId)).toBe(String(NOW));
  expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe('1');
  expect(await waitingJobs(redis.client)).toEqual([deliveryId]);

  const logged = await world.told(answer.headers['x-request-id']);
  expect(logged).toMatchObject({
    msg: 'submission',
    method: 'POST',
    route: '/v1/run-results',
    status: 202,
    outcome: 'accepted',
    code: 'accepted',
    deviceId: DEVICE_ID,
    deliveryId,
    reason: null,
  });
  expect(await world.counted('accepted')).toBe(before + 1);
});

test('all a device may say · is stored · with passwords masked, unknown members gone and nothing else touched', async () => {
  const said = runResult({
    hardwareConfigurationId: CONFIGURATION_ID.toUpperCase(),
    deviceName: 'x'.repeat(256),
    osVersion: '10.0.26100.2314',
    upn: 'Ada@contoso.example',
    policyVersion: 2_147_483_647,
    completedAt: '2024-02-29T23:59:59.9999999-12:00',
    state: 'scriptError',
    exitCode: -2_147_483_648,
    output: 'cctk --setuppwd=Secret1 --BootMode=uefi\r\n\u0000 ✓ 🖥 \ud800',
    error: '',
  });
  const answer = await submit(JSON.stringify({ ...said, unknown: { deep: [1] } }));
  expect(answer.status).toBe(202);
  const { deliveryId } = answer.body as { deliveryId: string };
  expect((await readRecord(redis.client, deliveryId))?.run).toEqual({
    ...said,
    hardwareConfigurationId: CONFIGURATION_ID,
    output: 'cctk --setuppwd=[masked] --BootMode=uefi\r\n\u0000 ✓ 🖥 \ud800',
  });
});

const whole = runResult();
const hostile = JSON.stringify(whole).slice(0, -1);

test.each([
  ['begins with a byte order mark', Buffer.from(`\ufeff${JSON.stringify(whole)}`)],
  ['carries __proto__ and constructor', `${hostile},"__proto__":{"deviceId":"x","admin":true},"constructor":1}`],
  ['repeats a member, the last one counting', `${hostile},"deviceId":"${DEVICE_ID}"}`],
  ['has spacing and escapes', JSON.stringify(whole, null, 4).replace('run-1', String.raw`run\u002d1`)],
  ['is as large as the limit', JSON.stringify({ ...whole, output: 'x'.repeat(LIMIT - sizeWithoutOutput()) })],
])('a body that %s · is accepted · as the run result it is', async (_what, body) => {
  const answer = await submitBytes(body);
  expect(answer).toMatchObject({ status: 202, body: { runId: 'run-1', status: 'queued', duplicate: false } });
});

function sizeWithoutOutput(): number {
  return Buffer.byteLength(JSON.stringify({ ...whole, output: '' }));
}

test.each([
  'application/json',
  'Application/JSON',
  'application/json; charset=utf-8',
  'application/json;charset="UTF-8"',
  'application/json; charset=utf8',
])('the media type %s · is JSON in UTF-8 · and accepted', async (type) => {
  expect((await submit(JSON.stringify(whole), { 'Content-Type': type })).status).toBe(202);
});

const INVALID_JSON = {
  status: 400,
  code: 'invalid-json',
  title: 'The body is not JSON in UTF-8',
  detail: 'the body is not JSON in UTF-8',
};

test.each([
  ['no JSON', '{"runId":'],
  ['empty', ''],
  ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])],
  ['UTF-16', Buffer.from(`\ufeff${JSON.stringify(whole)}`, 'utf16le')],
  ['two documents', '{}{}'],
  ['NaN', '{"policyVersion":NaN}'],
])('a body that is %s · is refused as invalid-json · and nothing is stored', async (_what, body) => {
  const before = await world.counted('invalid-json');
  await expectRefused(await submitBytes(body), INVALID_JSON, before);
});

test.each([
  ['null', 'null', 'object'],
  ['an array', '[]', 'object'],
  ['a string', '"run"', 'object'],
  ['a number', '7', 'object'],
])('JSON that is %s · is refused as invalid-run-result · pointing at the whole', async (_what, body) => {
  const before = await world.counted('invalid-run-result');
  const answer = await submit(body);
  const { errors } = answer.body as { errors: { pointer: string; detail: string }[] };
  expect(errors).toEqual([{ pointer: '', detail: expect.stringContaining('object') as string }]);
  await expectRefused(
    answer,
    {
      status: 422,
      code: 'invalid-run-result',
      title: 'The run result has faults',
      detail: '1 fault; see errors',
      errors,
    },
    before,
  );
});

test('a run result with many faults · is refused as invalid-run-result · naming all at once by pointer', async () => {
  const before = await world.counted('invalid-run-result');
  const errors = [
    { pointer: '/runId', detail: 'must be 1 to 128 of A–Z a–z 0–9 . _ -' },
    { pointer: '/hardwareConfigurationId', detail: 'must be a GUID' },
    { pointer: '/deviceName', detail: 'must have 1 to 256 characters' },
    { pointer: '/osVersion', detail: 'must have at most 64 characters' },
    { pointer: '/upn', detail: 'must have at most 320 characters' },
    { pointer: '/policyVersion', detail: 'must be a whole number from 0 to 2147483647' },
    { pointer: '/completedAt', detail: 'must be an RFC 3339 date-time with offset and at most 7 fractional digits' },
    { pointer: '', detail: 'one of state and exitCode is required' },
  ];
  const answer = await submit(
    JSON.stringify({
      runId: 'a/b',
      deviceId: DEVICE_ID,
      hardwareConfigurationId: 'no guid',
      deviceName: '',
      osVersion: 'x'.repeat(65),
      upn: 'x'.repeat(321),
      policyVersion: 1.5,
      completedAt: '2026-11-20T10:00:00',
    }),
  );
  await expectRefused(
    answer,
    {
      status: 422,
      code: 'invalid-run-result',
      title: 'The run result has faults',
      detail: '8 faults; see errors',
      errors,
    },
    before,
  );
});

test('an empty object · is refused · naming each required member', async () => {
  const answer = await submit('{}');
  expect((answer.body as { errors: unknown }).errors).toEqual([
    ...['runId', 'deviceId', 'hardwareConfigurationId', 'deviceName', 'policyVersion', 'completedAt'].map((member) => ({
      pointer: `/${member}`,
      detail: 'is required',
    })),
    { pointer: '', detail: 'one of state and exitCode is required' },
  ]);
});

test.each([
  ['runId', ['', 'x'.repeat(129), 'ü', 7, null]],
  ['hardwareConfigurationId', [`{${CONFIGURATION_ID}}`, null]],
  ['deviceName', ['x'.repeat(257), null, 1]],
  ['osVersion', [10]],
  ['upn', [7]],
  ['policyVersion', [-1, 2_147_483_648, '4', null]],
  [
    'completedAt',
    ['2026-02-29T10:00:00Z', '2026-11-20 10:00:00Z', '2026-11-20T10:00:00.12345678Z', '2026-11-20T24:00:00Z', 1, null],
  ],
  [
    'completedAt',
    ['2026-11-20T10:00:00+14:01', '2026-11-20T10:00:00-23:59', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59-00:01'],
  ],
  ['state', ['Success', '', 1]],
  ['exitCode', [0.5, 4_294_967_296, -2_147_483_649, '0', '2147942405']],
  ['output', [1, ['x']]],
  ['error', [{}]],
])('a %s that is none · is refused · by its pointer alone', async (member, values) => {
  for (const value of values) {
    const answer = await submit(JSON.stringify(runResult({ state: 'success', [member]: value })));
    expect(answer.status, JSON.stringify(value)).toBe(422);
    const { errors } = answer.body as { errors: { pointer: string }[] };
    expect(errors.map(({ pointer }) => pointer)).toEqual([`/${member}`]);
  }
  expect(await redis.countStored()).toBe(0);
});

test('null for every optional member, an unsigned exit code · is stored · as the same run without them, signed', async () => {
  const nothing = { osVersion: null, upn: null, state: null, output: null, error: null };
  const answer = await submit(JSON.stringify(runResult({ ...nothing, exitCode: 2_147_942_405 })));
  expect(answer.status).toBe(202);
  const { deliveryId } = answer.body as { deliveryId: string };
  const { run } = (await readRecord(redis.client, deliveryId)) ?? {};
  expect(run).toEqual({ ...runResult({ exitCode: -2_147_024_891, output: undefined }) });
  expect(Object.keys(run ?? {}).filter((member) => member in nothing)).toEqual([]);
});

test.each([
  ['an otherwise good run result', runResult({ deviceId: 'BER-LAT-0002' })],
  ['one with every other fault as well', { deviceId: 'BER-LAT-0002', runId: '', policyVersion: 'x' }],
  ['a deviceId that is no device id', { deviceId: 'not a device id' }],
])('another device’s id in %s · is refused as wrong-device · and nothing is stored', async (_what, said) => {
  const before = await world.counted('wrong-device');
  await expectRefused(
    await submit(JSON.stringify(said)),
    {
      status: 403,
      code: 'wrong-device',
      title: 'A device may only speak for itself',
      detail: 'deviceId is not the device that signed the request',
    },
    before,
  );
});

const UNSUPPORTED = {
  status: 415,
  code: 'unsupported-media-type',
  title: 'The body must be application/json in UTF-8, not encoded',
};

test.each([
  ['no Content-Type', {}],
  ['another Content-Type', { 'Content-Type': 'text/plain' }],
  ['a sibling of JSON', { 'Content-Type': 'application/merge-patch+json' }],
  ['a broken Content-Type', { 'Content-Type': 'application/json/x' }],
  ['another charset', { 'Content-Type': 'application/json; charset=iso-8859-1' }],
  ['another charset, quoted', { 'Content-Type': 'application/json; charset="UTF-16"' }],
])('%s · is refused as unsupported-media-type · and nothing is stored', async (_what, headers) => {
  const before = await world.counted('unsupported-media-type');
  const body = JSON.stringify(whole);
  const answer = await send({
    port,
    method: 'POST',
    path: '/v1/run-results',
    headers: { ...sign({ body }), ...headers },
    body,
  });
  await expectRefused(answer, { ...UNSUPPORTED, detail: 'send application/json in UTF-8, not encoded' }, before);
});

test.each(['gzip', 'br', 'x-unknown'])(
  'the content coding %s · is refused as unsupported-media-type · and nothing is stored',
  async (coding) => {
    const before = await world.counted('unsupported-media-type');
    const answer = await submit(JSON.stringify(whole), { 'Content-Encoding': coding });
    await expectRefused(answer, { ...UNSUPPORTED, detail: 'send application/json in UTF-8, not encoded' }, before);
  },
);

test('a request without any body · is refused as unsupported-media-type · whatever its headers say', async () => {
  const fields = Object.entries(sign({ body: '' })).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /v1/run-results HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n`;
  const answer = await exchange(port, `${head}${fields.join('')}\r\n`);
  expectProblem(answer, { ...UNSUPPORTED, detail: 'send application/json in UTF-8, not encoded' });
});

test.each([
  ['announced', { 'Content-Length': String(LIMIT + 1) }],
  ['in chunks', { 'Transfer-Encoding': 'chunked' }],
])('a body larger than the limit, %s · is refused as too-large · and nothing is stored', async (_what, headers) => {
  const before = await world.counted('too-large');
  const body = Buffer.alloc(LIMIT + 1, 0x20);
  await expectRefused(
    await submitBytes(body, headers),
    {
      status: 413,
      code: 'too-large',
      title: 'The body is too large',
      detail: 'the body is larger than this service accepts',
    },
    before,
  );
});

const METHOD_NOT_ALLOWED = { status: 405, code: 'method-not-allowed', title: 'The method is not allowed here' };

test.each(['get', 'put', 'delete', 'patch', 'options'] as const)(
  '%s where only POST is · is refused as method-not-allowed · and says what is allowed',
  async (method) => {
    const before = await world.counted('method-not-allowed');
    const answer = await request(world.app)[method]('/v1/run-results');
    await expectRefused(answer, { ...METHOD_NOT_ALLOWED, detail: 'allowed: POST', headers: { allow: 'POST' } }, before);
  },
);

test.each(['post', 'put', 'delete', 'patch'] as const)(
  '%s on a delivery · is refused as method-not-allowed · and says what is allowed',
  async (method) => {
    expectProblem(await request(world.app)[method]('/v1/deliveries/d1'), {
      ...METHOD_NOT_ALLOWED,
      detail: 'allowed: GET, HEAD',
      headers: { allow: 'GET, HEAD' },
    });
  },
);

test.each(['/', '/v1', '/v1/run-result', '/V1/run-results', '/v1/run-results/1', '/v1/delivery', '/.env'])(
  'the path %s · is nowhere · and refused as not-found',
  async (path) => {
    expectProblem(await request(world.app).get(path), {
      status: 404,
      code: 'not-found',
      title: 'There is nothing here',
      detail: 'there is no such route',
    });
  },
);

test('a path that cannot be decoded · is refused as bad-request · without a stack', async () => {
  expectProblem(await request(world.app).get('/v1/deliveries/%E0%A4%A'), {
    status: 400,
    code: 'bad-request',
    title: 'The request is not well-formed HTTP',
    detail: 'the request cannot be read',
  });
});

test.each([
  ['taken over where it is harmless', 'gateway-7f.3_A', /^gateway-7f\.3_A$/],
  ['replaced where it is long', 'x'.repeat(65), /^[0-9a-f-]{36}$/],
  ['replaced where it is not harmless', 'a b"c', /^[0-9a-f-]{36}$/],
])('a proxy’s request id · is %s · in the header, the problem and the log', async (_what, given, expected) => {
  const answer = await submit('{}', { 'X-Request-Id': given });
  const requestId = String(answer.headers['x-request-id']);
  expect(requestId).toMatch(expected);
  expect(answer.body).toMatchObject({ requestId });
  expect(await world.told(requestId)).toMatchObject({ status: 422 });
});

test('a sender that goes away in the middle of its body · is reported as refused · and is counted as nothing accepted', async () => {
  const accepted = await world.counted('accepted');
  const before = await world.counted('bad-request');
  const body = JSON.stringify(whole);
  const length = { Host: 'x', 'Content-Type': 'application/json', 'Content-Length': body.length };
  const fields = Object.entries({ ...length, ...sign({ body }), 'X-Request-Id': 'went-away' });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const socket = await openSocket(port);
  socket.write(`POST /v1/run-results HTTP/1.1\r\n${head}\r\n${body.slice(0, 20)}`);
  await once(server, 'request');
  socket.resetAndDestroy();
  expect(await world.told('went-away')).toMatchObject({ status: 400, outcome: 'refused', code: 'bad-request' });
  expect(await world.counted('bad-request')).toBe(before + 1);
  expect(await world.counted('accepted')).toBe(accepted);
  expect(await redis.countStored()).toBe(0);
});

test('a defect in a route · is answered 500 without detail · and logged with its cause', async () => {
  const cause = new Error('connect ECONNREFUSED 10.1.2.3:6379 with password hunter2');
  const defects: unknown[] = [];
  const app = createHealthApp({
    isAlive: () => true,
    readiness: () => Promise.reject(cause),
    metrics: () => Promise.reject(cause),
    onAnswer: () => undefined,
    onDefect: (error) => void defects.push(error),
  });
  expectProblem(await request(app).get('/readyz'), {
    status: 500,
    code: 'internal-error',
    title: 'The service failed',
    detail: 'the service failed; the request id finds it in the log',
  });
  expect(defects).toEqual([cause]);
});
