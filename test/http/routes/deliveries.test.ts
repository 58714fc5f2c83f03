// GET /v1/deliveries/{id}: the device that submitted it and operators see it; to anyone else it does not exist.
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { conclude } from '../../support/conclude.ts';
import { begin, type Outcome } from '../../../src/domain/delivery.ts';
import { withNote } from '../../../src/domain/attempt/note.ts';
import { expectHeaders, expectProblem } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { CONFIGURATION_ID, DEVICE_ID, OLD_GROUP_KEY, runResult, sign, type Signing } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const NOW = Date.now();
const AT = new Date(NOW).toISOString();
const UNAUTHENTICATED = {
  status: 401,
  code: 'unauthenticated',
  title: 'The request is not signed by a known device, or not in time',
  detail: 'sign the request with this device’s key, or be an operator',
};
const NOT_FOUND = {
  status: 404,
  code: 'not-found',
  title: 'There is nothing here',
  detail: 'there is no such delivery',
};

let redis: TestRedis;
let world: TestApp;
let withoutOperators: TestApp;
let id: string;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis, { clock: () => NOW });
  withoutOperators = await startTestApp(redis, { clock: () => NOW, env: { OPERATOR_TOKEN: '' } });
  await untilConnected(world);
  await untilConnected(withoutOperators);
  id = await submit('run-1');
});
afterAll(async () => {
  await world.close();
  await withoutOperators.close();
  await redis.close();
});

async function submit(runId: string): Promise<string> {
  const body = JSON.stringify(runResult({ runId, upn: 'someone@contoso.example' }));
  const answer = await request(world.app)
    .post('/v1/run-results')
    .set({ 'Content-Type': 'application/json', ...sign({ body }) })
    .send(body);
  expect(answer.status).toBe(202);
  return (answer.body as { deliveryId: string }).deliveryId;
}

const asDevice = (delivery: string, signing: Partial<Signing> = {}, { app } = world) => {
  const path = `/v1/deliveries/${delivery}`;
  return request(app)
    .get(path)
    .set(sign({ method: 'GET', path, body: null, ...signing }));
};
const asOperator = (delivery: string, authorization = `Bearer ${OPERATOR_TOKEN}`, { app } = world) =>
  request(app).get(`/v1/deliveries/${delivery}`).set('Authorization', authorization);

const queued = (deliveryId: string, runId: string) => ({
  deliveryId,
  tenant: 'default',
  runId,
  deviceId: DEVICE_ID,
  hardwareConfigurationId: CONFIGURATION_ID,
  status: 'queued',
  attempts: [],
  acceptedAt: AT,
  deliveredAt: null,
  deviceRunStateId: null,
  lastFailure: null,
});

test('a delivery · is shown to the device that submitted it · complete, without what the device wrote', async () => {
  const answer = await asDevice(id);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual(queued(id, 'run-1'));
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expectHeaders(answer);
  expect((await asDevice(id, { groupKey: OLD_GROUP_KEY })).body).toEqual(answer.body);
  expect((await asDevice(id, {}, withoutOperators)).body).toEqual(answer.body);
});

test('a delivery · is shown to an operator · by the bearer token, in any case of “Bearer”', async () => {
  expect((await asOperator(id)).body).toEqual(queued(id, 'run-1'));
  expect((await asOperator(id, `bearer ${OPERATOR_TOKEN}`)).body).toEqual(queued(id, 'run-1'));
});

test('a delivery with a note · tells it · in words, with the other delivery where there is one', async () => {
  const { deliveries } = world.tenant;
  const stored = await deliveries.load(id);
  if (!stored) throw new Error('there is no such delivery');
  const noted = withNote(withNote(stored.delivery, { code: 'completed-ahead', at: NOW, by: null }), {
    code: 'record-replaced',
    at: NOW,
    by: 'dother',
  });
  const saved = await deliveries.save(stored, noted, { now: NOW });
  if (saved.kind !== 'saved') throw new Error(saved.kind);
  const { notes } = (await asDevice(id)).body as { notes: unknown };
  expect(notes).toEqual([
    { code: 'completed-ahead', at: AT, detail: expect.stringContaining('more than a day ahead') as string },
    {
      code: 'record-replaced',
      at: AT,
      deliveryId: 'dother',
      detail: expect.stringContaining('one row per device') as string,
    },
  ]);
  await deliveries.save(saved.stored, stored.delivery, { now: NOW });
});

test('a HEAD for a delivery · is signed as HEAD · and has no body', async () => {
  const path = `/v1/deliveries/${id}`;
  const answer = await request(world.app)
    .head(path)
    .set(sign({ method: 'HEAD', path, body: null }));
  expect(answer.status).toBe(200);
  expect(answer.text).toBeUndefined();
});

const POLICY = { maxAgeMs: 1000, lookAfterMs: 5000, attemptTimeoutMs: 1, backoff: { baseMs: 1000, capMs: 1000 } };

/** One try of a delivery, as a worker would make it; without an outcome it stays under way. */
async function attempt(deliveryId: string, outcome: Outcome | null): Promise<void> {
  const { deliveries } = world.tenant;
  const stored = await deliveries.load(deliveryId);
  if (!stored) throw new Error('there is no such delivery');
  const marked = await deliveries.save(stored, begin(stored.delivery, NOW), { now: NOW });
  if (marked.kind !== 'saved') throw new Error(marked.kind);
  if (!outcome) return;
  const { delivery } = conclude({
    delivery: marked.stored.delivery,
    outcome,
    circumstances: { now: NOW, random: 0.5, held: false },
    policy: POLICY,
  });
  expect((await deliveries.save(marked.stored, delivery, { now: NOW })).kind).toBe('saved');
}

test('a delivery under way · shows the attempt in flight · as its own entry', async () => {
  const delivery = await submit('run-under-way');
  await attempt(delivery, null);
  expect((await asDevice(delivery)).body).toEqual({
    ...queued(delivery, 'run-under-way'),
    status: 'delivering',
    attempts: [{ number: 1, at: AT, outcome: 'in-flight', graphStatus: null, graphRequestId: null }],
  });
});

test('a delivery that failed and then arrived · shows each attempt · and the record in Graph', async () => {
  const delivery = await submit('run-delivered');
  const graph = { status: 503, code: 'ServiceUnavailable', requestId: 'graph-1' };
  await attempt(delivery, { kind: 'uncertain', detail: 'Graph answered 503', graph });
  const waiting = {
    ...queued(delivery, 'run-delivered'),
    status: 'waiting',
    attempts: [{ number: 1, at: AT, outcome: 'uncertain', graphStatus: 503, graphRequestId: 'graph-1' }],
    lastFailure: {
      kind: 'uncertain',
      code: 'uncertain',
      detail: 'Graph answered 503',
      at: AT,
      graphStatus: 503,
      graphCode: 'ServiceUnavailable',
      graphRequestId: 'graph-1',
    },
  };
  expect((await asDevice(delivery)).body).toEqual(waiting);
  await attempt(delivery, {
    kind: 'found',
    deviceRunStateId: 'record-1',
    graph: { status: 200, requestId: 'graph-2' },
  });
  expect((await asDevice(delivery)).body).toEqual({
    ...waiting,
    status: 'delivered',
    attempts: [
      ...waiting.attempts,
      { number: 2, at: AT, outcome: 'found', graphStatus: 200, graphRequestId: 'graph-2' },
    ],
    deliveredAt: AT,
    deviceRunStateId: 'record-1',
  });
});

test('a dead delivery · shows why · with Graph’s own code and request id', async () => {
  const delivery = await submit('run-dead');
  const graph = { status: 404, code: 'NotFound', requestId: 'graph-3' };
  await attempt(delivery, { kind: 'rejected', status: 404, detail: 'no such configuration', graph });
  expect((await asOperator(delivery)).body).toMatchObject({
    status: 'dead',
    attempts: [{ number: 1, at: AT, outcome: 'rejected', graphStatus: 404, graphRequestId: 'graph-3' }],
    lastFailure: { kind: 'rejected', detail: 'no such configuration', graphStatus: 404, graphCode: 'NotFound' },
  });
});

test('someone else’s delivery and an unknown one · are the same 404 · to device and operator', async () => {
  expectProblem(await asDevice(id, { deviceId: 'BER-LAT-0002' }), NOT_FOUND);
  expectProblem(await asDevice('dAAAAAAAAAAAAAAAAAAAAAA'), NOT_FOUND);
  expectProblem(await asOperator('dAAAAAAAAAAAAAAAAAAAAAA'), NOT_FOUND);
});

test.each(['%2a', '..%2fcounts', 'x'.repeat(5000), 'd%00', 'd%0d%0aX-Evil:%201'])(
  'the id %s · is the id of nothing · and answered 404',
  async (delivery) => {
    expectProblem(await asOperator(delivery), NOT_FOUND);
  },
);

test.each(['counts', 'in-work', 'deliveries:meta', 'deliveries:id', 'rate:BER-LAT-0002:1', 'budget'])(
  'the queue’s own key %s · is the id of nothing · whether it is there or not',
  async (delivery) => {
    await redis.client.set(world.tenant.keys.delivery('rate:BER-LAT-0002:1'), '1');
    expectProblem(await asDevice(delivery), NOT_FOUND);
    expectProblem(await asOperator(delivery), NOT_FOUND);
  },
);

test.each<[string, Record<string, string>]>([
  ['nothing', {}],
  ['another token', { Authorization: `Bearer ${'x'.repeat(OPERATOR_TOKEN.length)}` }],
  ['the token with a letter more', { Authorization: `Bearer ${OPERATOR_TOKEN}x` }],
  ['the token without its scheme', { Authorization: OPERATOR_TOKEN }],
  ['the token under another scheme', { Authorization: `Basic ${OPERATOR_TOKEN}` }],
  ['an empty token', { Authorization: 'Bearer ' }],
])('a caller who shows %s · is unknown · and refused as unauthenticated', async (_what, headers) => {
  expectProblem(await request(world.app).get(`/v1/deliveries/${id}`).set(headers), UNAUTHENTICATED);
});

test.each<[string, Partial<Signing>]>([
  ['of another delivery', { path: '/v1/deliveries/other' }],
  ['of another method', { method: 'DELETE' }],
  ['of an hour ago', { createdS: Math.floor(NOW / 1000) - 3600 }],
  ['with a key of no group', { groupKey: 'YW5vdGhlciBncm91cCBrZXkgYWx0b2dldGhlcg==' }],
  ['over a digest, though there is no body', { components: '"@method" "@path" "content-digest"' }],
  ['over the method alone', { components: '"@method"' }],
])('a signature %s · is not good · and refused as unauthenticated', async (_what, signing) => {
  expectProblem(await asDevice(id, signing), UNAUTHENTICATED);
});

test('a wrong signature · has its reason in the log · as a submission’s has', async () => {
  const answer = await asDevice(id, { createdS: Math.floor(NOW / 1000) - 3600 });
  expect(await world.told(answer.headers['x-request-id'])).toMatchObject({
    msg: 'request',
    code: 'unauthenticated',
    reason: 'created is too far from now',
  });
  const good = await asDevice(id);
  expect(await world.told(good.headers['x-request-id'])).toMatchObject({ deviceId: DEVICE_ID, reason: null });
});

test('where there are no operators · their token is nothing · and the routes of theirs do not exist', async () => {
  expectProblem(await asOperator(id, undefined, withoutOperators), UNAUTHENTICATED);
  const absent = { ...NOT_FOUND, detail: 'there is no such route' };
  const { app } = withoutOperators;
  for (const path of [
    '/v1/dead-letters',
    '/v1/dead-letters/replay',
    '/v1/status',
    '/v1/devices/x/revoke',
    '/dashboard',
  ]) {
    for (const asked of [request(app).get(path), request(app).post(path)]) {
      expectProblem(await asked.set('Authorization', `Bearer ${OPERATOR_TOKEN}`), absent);
    }
  }
});
