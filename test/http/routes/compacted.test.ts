// A delivered run after DELIVERED_KEPT_H: looked up, sent again and explained from the little that is left of it.
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectHeaders } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { runResult, sign, type Signing } from '../../support/device.ts';
import { attemptOf, created } from '../../support/outcomes.ts';
import { passTime } from '../../support/pass-time.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const NOW = Date.now();
const AT = new Date(NOW).toISOString();
const KEPT_MS = 24 * 3_600_000;
const operator = { Authorization: `Bearer ${OPERATOR_TOKEN}` };

let redis: TestRedis;
let world: TestApp;
let id: string;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis, { clock: () => NOW });
  await untilConnected(world);
  const answer = await submit();
  expect(answer.status).toBe(202);
  id = (answer.body as { deliveryId: string }).deliveryId;
  await attemptOf({ tenant: world.tenant, id, outcome: created('record-1'), now: NOW });
  await passTime(redis.client, world.tenant.keys, KEPT_MS);
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

function submit(changes: Record<string, unknown> = {}, { app } = world) {
  const body = JSON.stringify(runResult(changes));
  return request(app)
    .post('/v1/run-results')
    .set({ 'Content-Type': 'application/json', ...sign({ body }) })
    .send(body);
}

function asDevice(signing: Partial<Signing> = {}) {
  const path = `/v1/deliveries/${id}`;
  return request(world.app)
    .get(path)
    .set(sign({ method: 'GET', path, body: null, ...signing }));
}

test('looked up · its device and operators hear that it is delivered, and when · any other device that it does not exist', async () => {
  const answer = await asDevice();
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    deliveryId: id,
    tenant: 'default',
    runId: '',
    deviceId: '',
    hardwareConfigurationId: '',
    status: 'delivered',
    attempts: [],
    acceptedAt: AT,
    deliveredAt: AT,
    deviceRunStateId: null,
    lastFailure: null,
    compacted: true,
  });
  expectHeaders(answer);
  expect((await request(world.app).get(`/v1/deliveries/${id}`).set(operator)).body).toEqual(answer.body);
  expect((await asDevice({ deviceId: 'BER-LAT-0002' })).status).toBe(404);
});

test('sent again · as it was · gets its receipt · and with other content is refused', async () => {
  const again = await submit();
  expect([again.status, again.body]).toEqual([
    200,
    {
      deliveryId: id,
      runId: 'run-1',
      status: 'delivered',
      duplicate: true,
      acceptedAt: AT,
      expectedCreateAt: null,
    },
  ]);
  const other = await submit({ exitCode: 1 });
  expect([other.status, (other.body as { code: string }).code]).toEqual([409, 'run-id-reused']);
});

test('sent again while the backlog is full · gets its receipt all the same · where a new run is turned away', async () => {
  const full = await startTestApp(redis, { clock: () => NOW, env: { MAX_BACKLOG_BYTES: '1' } });
  try {
    await untilConnected(full);
    let number = 1;
    const isTurnedAway = async () => (await submit({ runId: `run-${(number += 1)}` }, full)).status === 429;
    await until('the backlog is known to be full', isTurnedAway);
    expect((await submit({}, full)).body).toMatchObject({ deliveryId: id, status: 'delivered', duplicate: true });
  } finally {
    await full.close();
  }
});

test('searched by its id · is explained · as far as it is still known', async () => {
  const answer = await request(world.app).get(`/dashboard/search.json?text=${id}`).set(operator);
  const at = `${AT.slice(0, 19).replace('T', ' ')} UTC`;
  expect(answer.body).toMatchObject({
    complete: true,
    found: [
      {
        deliveryId: id,
        compacted: true,
        explanation: {
          summary: `Delivered at ${at}: Graph has it. Its details were kept for 24 h after that.`,
          happened: [`${at}  accepted`, `${at}  delivered`],
          waitingFor: null,
        },
      },
    ],
  });
  const listed = await request(world.app).get('/v1/deliveries?status=delivered').set(operator);
  expect(listed.body).toEqual({ deliveries: [], nextCursor: null });
});
