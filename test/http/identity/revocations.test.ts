// Revoked devices: not known any more in any process, whatever they prove; durable, and the last known list counts without Redis.
import request from 'supertest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openRevocations, type Revocations } from '../../../src/queue/devices/revocations.ts';
import { expectProblem } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { DEVICE_ID, runResult, sign } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const NOW = Date.parse('2026-11-24T10:00:00.000Z');
const BODY = JSON.stringify(runResult());
const KEY = 'runstate:{default}:revoked';
const EVERYWHERE_WITHIN_MS = 5000;

let redis: TestRedis;
let here: TestApp;
let there: TestApp;
const alone: Revocations[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  here = await startTestApp(redis, { clock: () => NOW });
  there = await startTestApp(redis, { clock: () => NOW });
  await untilConnected(here);
  await untilConnected(there);
});
beforeEach(async () => {
  await redis.client.flushall();
  // The test before may have taken Redis away.
  await Promise.all([untilConnected(here), untilConnected(there)]);
  await Promise.all([here.tenant.revocations.list(), there.tenant.revocations.list()]);
});
afterEach(() => {
  for (const revocations of alone.splice(0)) revocations.close();
});
afterAll(async () => {
  await here.close();
  await there.close();
  await redis.close();
});

const operate = (method: 'get' | 'post', path: string, { app } = here, authorization = `Bearer ${OPERATOR_TOKEN}`) =>
  request(app)[method](path).set('Authorization', authorization);
const submit = ({ app } = here, deviceId = DEVICE_ID, body = BODY) =>
  request(app)
    .post('/v1/run-results')
    .set({ 'Content-Type': 'application/json', ...sign({ body, deviceId, createdS: NOW / 1000 }) })
    .send(body);
const revoke = (deviceId = DEVICE_ID) => operate('post', `/v1/devices/${deviceId}/revoke`);
const restore = (deviceId = DEVICE_ID) => operate('post', `/v1/devices/${deviceId}/restore`);

/** Another process that has just looked. */
async function openAnother(): Promise<Revocations> {
  const revocations = await openRevocations(here.tenant.redis, here.tenant.keys, () => undefined);
  alone.push(revocations);
  return revocations;
}

test('two servers that took a change each, as while a failover is under way · have lists of their own · and a process that comes to the other one reads its list', async () => {
  const before = await redis.client.hgetall(KEY);
  await here.tenant.revocations.revoke('device-x', NOW);
  // The server that was promoted does not have that change, and took another one.
  await redis.client.del(KEY);
  if (Object.keys(before).length > 0) await redis.client.hset(KEY, before);
  await there.tenant.revocations.revoke('device-y', NOW);
  await until('it reads the list', () => here.tenant.revocations.isRevoked('device-y'), EVERYWHERE_WITHIN_MS);
  expect(here.tenant.revocations.isRevoked('device-x')).toBe(false);
});

test('a device that is revoked · is not known any more · by the same answer as one that never was', async () => {
  expect((await submit()).status).toBe(202);
  const revoked = await revoke();
  expect(revoked).toMatchObject({ status: 200, body: { deviceId: DEVICE_ID, revoked: true, changed: true } });
  expect(Object.keys(revoked.body as object)).toEqual(['deviceId', 'revoked', 'changed']);

  const unknown = {
    status: 401,
    code: 'unauthenticated',
    title: 'The request is not signed by a known device, or not in time',
    detail: 'the request must be signed with this device’s key, now',
  };
  const requestId = expectProblem(await submit(), unknown);
  expect(await here.told(requestId)).toMatchObject({ reason: 'the device is revoked', deviceId: null });
  const forged = { ...sign({ body: BODY, createdS: NOW / 1000 }), Signature: 'device=:AAAA:' } as Record<
    string,
    string
  >;
  expectProblem(
    await request(here.app)
      .post('/v1/run-results')
      .set({ 'Content-Type': 'application/json', ...forged })
      .send(BODY),
    unknown,
  );
});

test('a revoked device · reads its deliveries no more · operators still do', async () => {
  const { deliveryId } = (await submit()).body as { deliveryId: string };
  await revoke();
  const path = `/v1/deliveries/${deliveryId}`;
  const signed = sign({ method: 'GET', path, body: null, createdS: NOW / 1000 }) as Record<string, string>;
  expect((await request(here.app).get(path).set(signed)).status).toBe(401);
  expect((await operate('get', path)).status).toBe(200);
});

test('other devices · are not affected · nor is one whose id begins alike', async () => {
  await revoke('BER-LAT-000');
  expect((await submit()).status).toBe(202);
});

test('revoked here · is revoked there · within seconds, and so is restored', async () => {
  expect((await submit(there)).status).toBe(202);
  await revoke();
  await until('the other process knows', async () => (await submit(there)).status === 401, EVERYWHERE_WITHIN_MS);
  expect(await restore()).toMatchObject({ status: 200, body: { deviceId: DEVICE_ID, revoked: false, changed: true } });
  expect((await submit()).status).toBe(200);
  await until('the other process knows', async () => (await submit(there)).status === 200, EVERYWHERE_WITHIN_MS);
});

test('revoked twice, restored twice · is reported · and the first instant stays', async () => {
  await revoke();
  expect((await revoke()).body).toEqual({ deviceId: DEVICE_ID, revoked: true, changed: false });
  expect((await restore()).body).toEqual({ deviceId: DEVICE_ID, revoked: false, changed: true });
  expect((await restore()).body).toEqual({ deviceId: DEVICE_ID, revoked: false, changed: false });
});

test('the list · says who and since when, newest first · as Redis has it', async () => {
  expect((await operate('get', '/v1/devices/revoked')).body).toEqual({ revoked: [] });
  const another = await openAnother();
  await another.revoke('LAPTOP-1', NOW - 2000);
  await another.revoke('__proto__', NOW - 1000);
  await revoke();
  expect((await operate('get', '/v1/devices/revoked')).body).toEqual({
    revoked: [
      { deviceId: DEVICE_ID, revokedAt: '2026-11-24T10:00:00.000Z' },
      { deviceId: '__proto__', revokedAt: '2026-11-24T09:59:59.000Z' },
      { deviceId: 'LAPTOP-1', revokedAt: '2026-11-24T09:59:58.000Z' },
    ],
  });
  expect(await redis.client.keys('*revoked*')).toEqual([KEY]);
});

describe('the routes', () => {
  const routes = [
    ['get', '/v1/devices/revoked'],
    ['post', `/v1/devices/${DEVICE_ID}/revoke`],
    ['post', `/v1/devices/${DEVICE_ID}/restore`],
  ] as const;

  test.each(routes)('%s %s · without or with a wrong token · is refused, and changes nothing', async (method, path) => {
    for (const authorization of ['', 'Bearer wrong', `Basic ${OPERATOR_TOKEN}`]) {
      expectProblem(await operate(method, path, here, authorization), {
        status: 401,
        code: 'unauthenticated',
        title: 'The request is not signed by a known device, or not in time',
        detail: 'send the operator token: Authorization: Bearer …',
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    const signed = sign({ method: method.toUpperCase(), path, body: null, createdS: NOW / 1000 });
    const caller = request(here.app);
    const answer = await caller[method](path).set(signed as Record<string, string>);
    expect(answer.status).toBe(401);
    expect(await redis.countStored()).toBe(0);
  });

  test.each(routes)('%s %s · where there are no operators · does not exist', async (method, path) => {
    const without = await startTestApp(redis, { env: { OPERATOR_TOKEN: '' } });
    expect((await operate(method, path, without)).status).toBe(404);
    await without.close();
  });

  test.each([
    ['delete', `/v1/devices/${DEVICE_ID}/revoke`, 'POST'],
    ['get', `/v1/devices/${DEVICE_ID}/restore`, 'POST'],
    ['post', '/v1/devices/revoked', 'GET, HEAD'],
  ] as const)('%s %s · is not allowed · and the answer names the methods that are', async (method, path, allow) => {
    const answer = await request(here.app)[method](path).set('Authorization', `Bearer ${OPERATOR_TOKEN}`);
    expect(answer).toMatchObject({ status: 405, headers: { allow } });
  });

  test.each(['a%20b', '%23', 'x'.repeat(129), 'b%C3%A4r'])(
    'an invalid device id, %s · is refused · with a fault',
    async (id) => {
      expect(await revoke(id)).toMatchObject({
        status: 422,
        body: { code: 'invalid-request', errors: [{ pointer: '/deviceId' }] },
      });
      expect(await redis.countStored()).toBe(0);
    },
  );
});

describe('Redis', () => {
  test('that lost the list · is still trusted · and nobody is revoked then', async () => {
    const another = await openAnother();
    await revoke();
    await until('it is known', () => another.isRevoked(DEVICE_ID));
    await redis.client.del(KEY);
    await until('it is forgotten', () => !another.isRevoked(DEVICE_ID));
  });

  test('that was not asked yet · lets nobody in · and then those who are not revoked', async () => {
    await revoke();
    await redis.kill();
    const late = await startTestApp(redis, { clock: () => NOW });
    expect(late.tenant.revocations.isRevoked(DEVICE_ID)).toBe(false);
    await expect(late.tenant.revocations.whenKnown(() => Promise.resolve('in'))()).rejects.toThrow('nobody knows yet');
    expect((await submit(late)).status).toBe(503);

    await redis.start();
    await until('the list', () => late.tenant.revocations.isRevoked(DEVICE_ID));
    expect(await late.tenant.revocations.whenKnown(() => Promise.resolve('in'))()).toBe('in');
    expect((await submit(late)).status).toBe(401);
    await late.close();
  });

  test('that went away · leaves the last known list in force · and keeps it through a crash', async () => {
    await until('a connection', () => here.tenant.redis.status === 'ready');
    await revoke();
    await redis.kill();
    await until('Redis is missed', () => here.tenant.redis.status !== 'ready');
    expect((await submit()).status).toBe(401);
    expect((await revoke('LAPTOP-2')).status).toBe(503);
    expect((await operate('get', '/v1/devices/revoked')).status).toBe(503);

    await redis.start();
    await untilConnected(here);
    await until('the list again', async () => (await operate('get', '/v1/devices/revoked')).status === 200);
    expect((await submit()).status).toBe(401);
    expect((await openAnother()).isRevoked(DEVICE_ID)).toBe(true);
    await until('restored', async () => (await restore()).status === 200);
    expect((await submit()).status).toBeLessThan(300);
  });
});
