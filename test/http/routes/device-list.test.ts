// GET /v1/devices and POST /v1/devices/expected: last reports, silent and failing devices, and which of a list are missing.
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunState } from '../../../src/domain/submission/run-result.ts';
import type { DeviceListView, ExpectedDevicesView } from '../../../src/http/response/response-schemas.ts';
import {
  OPERATOR_TOKEN,
  startTestApi,
  startTestApp,
  untilConnected,
  type TestApi,
  type TestApp,
} from '../../support/app.ts';
import { GROUP_KEY } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';
import { aRun } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const OTHER = '99999999-2222-4333-8444-555555555555';
const GUID = '5f1d2c3b-7a90-4e58-b6c1-0d9e8f7a6b54';

let redis: TestRedis;
let world: TestApp;
let now: number;
let runs = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis);
  await untilConnected(world);
  now = world.tenant.clock.now();
  await accept('LAPTOP-OLD', 'success', 100);
  for (const hoursAgo of [80, 70, 60]) await accept('LAPTOP-BAD', 'fail', hoursAgo);
  await accept('LAPTOP-BAD', 'success', 1, OTHER);
  await accept('-2+3', 'scriptError', 3);
  await accept(GUID, 'success', 2);
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

async function accept(deviceId: string, state: RunState, hoursAgo: number, hardwareConfigurationId?: string) {
  const configuration = hardwareConfigurationId ?? aRun(0).hardwareConfigurationId;
  const run = aRun((runs += 1), { deviceId, deviceName: '=1+1', state, hardwareConfigurationId: configuration });
  await world.tenant.accept(run, now - hoursAgo * HOUR_MS);
}

const AUTHORIZATION = `Bearer ${OPERATOR_TOKEN}`;
const list = (query: object, accepts = 'application/json') =>
  request(world.app).get('/v1/devices').query(query).set('Authorization', AUTHORIZATION).set('Accept', accepts);
const devices = (body: unknown) => (body as DeviceListView).devices.map(({ deviceId }) => deviceId);

const ask = (body: object) =>
  request(world.app).post('/v1/devices/expected').set('Authorization', AUTHORIZATION).send(body);

describe('a list of devices', () => {
  test('without a filter · has each once · with its last run result, the newest first', async () => {
    const body: unknown = (await list({})).body;
    expect(devices(body)).toEqual(['LAPTOP-BAD', GUID, '-2+3', 'LAPTOP-OLD']);
    expect((body as DeviceListView).devices[0]).toEqual({
      deviceId: 'LAPTOP-BAD',
      deviceName: '=1+1',
      tenant: 'default',
      hardwareConfigurationId: OTHER,
      reportedAt: new Date(now - HOUR_MS).toISOString(),
      state: 'success',
      failuresInARow: 0,
      deliveryId: expect.stringMatching(/^d[\w-]{22}$/) as string,
      status: 'queued',
    });
  });

  test('page by page · has each device once · though one reports meanwhile', async () => {
    const first = await list({ limit: '2' });
    await accept('LAPTOP-NEW', 'success', 0);
    const second = await list({ limit: '5', cursor: (first.body as DeviceListView).nextCursor ?? '' });
    expect([...devices(first.body), ...devices(second.body)]).toEqual(['LAPTOP-BAD', GUID, '-2+3', 'LAPTOP-OLD']);
    expect(second.body).toMatchObject({ nextCursor: null });
  });

  test.each([
    ['silent for two days', { silentForH: '48' }, ['LAPTOP-OLD']],
    [
      'silent about a configuration',
      { silentForH: '48', hardwareConfigurationId: aRun(0).hardwareConfigurationId },
      ['LAPTOP-BAD', 'LAPTOP-OLD'],
    ],
    ['silent for two and a half hours', { silentForH: '2.5' }, ['-2+3', 'LAPTOP-OLD']],
    ['that fail again and again', { failuresInARow: '3' }, ['LAPTOP-BAD']],
    ['that fail more often than any', { failuresInARow: '4' }, []],
    ['of a configuration', { hardwareConfigurationId: OTHER.toUpperCase() }, ['LAPTOP-BAD']],
    ['one device', { deviceId: 'LAPTOP-BAD' }, ['LAPTOP-BAD', 'LAPTOP-BAD']],
    ['a device nobody knows', { deviceId: 'LAPTOP-9' }, []],
  ])('%s · has what matches · and nothing else', async (_what, query, expected) => {
    expect(devices((await list(query)).body)).toEqual(expected);
  });

  test.each([
    ['no hours', { silentForH: '0' }, '/silentForH'],
    ['hours that are no number', { silentForH: '1e3' }, '/silentForH'],
    ['more hours than are kept', { silentForH: '9601' }, '/silentForH'],
    ['a single failure', { failuresInARow: '1' }, '/failuresInARow'],
    ['a limit of 501', { limit: '501' }, '/limit'],
    ['another list’s cursor', { cursor: 'mibq1234.dAAAAAAAAAAAAAAAAAAAAAA' }, '/cursor'],
    ['a member nobody knows', { silentFor: '5' }, ''],
  ])('%s · is refused · by the name of the member', async (_what, query, pointer) => {
    const answer = await list(query);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: 'invalid-request', errors: [{ pointer }] });
  });

  test('as CSV · has all there are · and no cell a spreadsheet would compute', async () => {
    const { headers, text } = await list({}, 'text/csv');
    expect(headers['content-disposition']).toBe('attachment; filename=devices.csv');
    const lines = text.split('\r\n');
    expect(lines[0]).toMatch(/^"deviceId","deviceName","tenant",/);
    expect(lines.find((line) => line.includes('-2+3'))).toMatch(/^"'-2\+3","'=1\+1","default",.*"scriptError","1",/);
    expect(lines.length).toBeGreaterThanOrEqual(6);
  });

  test('without the operator token · is refused · and other methods are not allowed', async () => {
    expect((await request(world.app).get('/v1/devices')).status).toBe(401);
    const posted = await request(world.app).post('/v1/devices').set('Authorization', AUTHORIZATION);
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });
});

describe('expected devices', () => {
  test('of which some reported · those that never did and those that are silent · are told apart', async () => {
    const answer = await ask({ deviceIds: ['LAPTOP-9', 'LAPTOP-OLD', GUID.toUpperCase()], silentForH: 48 });
    expect(answer.body).toEqual({
      neverReported: ['LAPTOP-9'],
      silent: [{ deviceId: 'LAPTOP-OLD', reportedAt: new Date(now - 100 * HOUR_MS).toISOString() }],
    } satisfies ExpectedDevicesView);
  });

  test('for one configuration · what was reported for others · does not count', async () => {
    const answer = await ask({ deviceIds: ['LAPTOP-OLD', 'LAPTOP-BAD'], hardwareConfigurationId: OTHER });
    expect(answer.body).toEqual({ neverReported: ['LAPTOP-OLD'], silent: [] });
  });

  test.each([
    ['none', { deviceIds: [] }, '/deviceIds'],
    ['more than a thousand', { deviceIds: Array.from({ length: 1001 }, () => 'x') }, '/deviceIds'],
    ['what is no device id', { deviceIds: ['LAPTOP 1'] }, '/deviceIds/0'],
  ])('%s · are refused · by the name of the member', async (_what, body, pointer) => {
    const answer = await ask(body);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: 'invalid-request', errors: [{ pointer }] });
  });
});

describe('several tenants', () => {
  let file: TenantsFile;
  let api: TestApi;

  beforeAll(async () => {
    file = createTenantsFile();
    file.write([file.tenant('contoso', GROUP_KEY), file.tenant('fabrikam', Buffer.alloc(32, 5).toString('base64'))]);
    api = await startTestApi(redis, { env: { TENANTS_FILE: file.path } });
    for (const { tenant } of api.tenants.all()) await until('a connection', () => tenant.redis.status === 'ready');
    for (const [index, id] of ['contoso', 'fabrikam', 'contoso'].entries())
      await api.tenants.find(id)?.tenant.accept(aRun(index, { deviceId: `PC-${index}` }), now + index);
  });
  afterAll(async () => {
    await api.close();
    file.close();
  });

  const ofTenants = (path: string) => request(api.app).get(path).set('Authorization', AUTHORIZATION);

  test('their devices · are one list · or one tenant’s', async () => {
    const first = await ofTenants('/v1/devices?limit=2');
    expect(devices(first.body)).toEqual(['PC-2', 'PC-1']);
    const next = await ofTenants(`/v1/devices?limit=2&cursor=${(first.body as DeviceListView).nextCursor ?? ''}`);
    expect(devices(next.body)).toEqual(['PC-0']);
    expect(devices((await ofTenants('/v1/devices?tenant=fabrikam')).body)).toEqual(['PC-1']);
  });

  test('an expected device · reported to any of them · has reported', async () => {
    const answer = await request(api.app)
      .post('/v1/devices/expected')
      .set('Authorization', AUTHORIZATION)
      .send({ deviceIds: ['PC-0', 'PC-1', 'PC-9'] });
    expect(answer.body).toEqual({ neverReported: ['PC-9'], silent: [] });
  });
});
