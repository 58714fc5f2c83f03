// GET /v1/deliveries: pages of a device or a status, newest first, and the same as CSV and NDJSON.
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Delivery } from '../../../src/domain/delivery.ts';
import type { DeliveryListView } from '../../../src/http/response/response-schemas.ts';
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

const T = Date.UTC(2026, 10, 23, 12);
const CONFIGURATION = '99999999-2222-4333-8444-555555555555';

let redis: TestRedis;
let world: TestApp;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis);
  await untilConnected(world);
  for (let number = 0; number < 7; number += 1) await accept('LAPTOP-1', number);
  await accept('-2+3', 7);
  await accept('LAPTOP-2', 8, CONFIGURATION);
  await end('LAPTOP-1', 5, (delivery) => ({
    ...delivery,
    status: 'delivered',
    deliveredAt: T,
    deviceRunStateId: 'r5',
  }));
  const lastFailure = {
    kind: 'rejected',
    code: 'graph-400',
    detail: '=HYPERLINK("http://x")\n\u202e',
    at: T,
    graphStatus: 400,
    graphCode: null,
    graphRequestId: null,
  } as const;
  await end('-2+3', 7, (delivery) => ({ ...delivery, status: 'dead', lastFailure }));
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

async function accept(deviceId: string, number: number, hardwareConfigurationId = aRun(0).hardwareConfigurationId) {
  const accepted = await world.tenant.accept(aRun(number, { deviceId, hardwareConfigurationId }), T + number);
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
}

async function end(deviceId: string, number: number, toEnd: (delivery: Delivery) => Delivery): Promise<void> {
  const [found] = (
    await world.tenant.deliveries.list({ deviceId, acceptedAfter: T + number, acceptedBefore: T + number + 1 }, 1, null)
  ).deliveries;
  const stored = await world.tenant.deliveries.load(found?.id ?? '');
  if (!stored) throw new Error('not stored');
  await world.tenant.deliveries.save(stored, toEnd(stored.delivery), { now: T });
}

const list = (query: object, accepts = 'application/json') =>
  request(world.app)
    .get('/v1/deliveries')
    .query(query)
    .set('Authorization', `Bearer ${OPERATOR_TOKEN}`)
    .set('Accept', accepts);

const runs = ({ deliveries }: DeliveryListView) => deliveries.map(({ runId }) => runId);

describe('a list', () => {
  test('of a device · is the newest first · whole deliveries with their tenant', async () => {
    const answer = await list({ deviceId: 'LAPTOP-1', limit: '3' });
    expect(answer.status).toBe(200);
    expect(answer.headers['vary']).toContain('Accept');
    const page = answer.body as DeliveryListView;
    expect(runs(page)).toEqual(['run-6', 'run-5', 'run-4']);
    expect(page.deliveries[1]).toMatchObject({
      deviceId: 'LAPTOP-1',
      tenant: 'default',
      status: 'delivered',
      deviceRunStateId: 'r5',
      attempts: [],
    });
  });

  test('page by page · has each delivery once · though new ones come and one changes', async () => {
    const first = (await list({ deviceId: 'LAPTOP-1', limit: '4' })).body as DeliveryListView;
    await accept('LAPTOP-1', 100);
    await end('LAPTOP-1', 1, (delivery) => ({ ...delivery, status: 'waiting', dueAt: T + 9_000_000 }));
    const second = (await list({ deviceId: 'LAPTOP-1', limit: '4', cursor: first.nextCursor ?? '' }))
      .body as DeliveryListView;
    expect([...runs(first), ...runs(second)]).toEqual(['run-6', 'run-5', 'run-4', 'run-3', 'run-2', 'run-1', 'run-0']);
    expect(second.nextCursor).toBeNull();
  });

  test.each([
    ['a status', { status: 'dead' }, ['run-7']],
    ['a status nothing has', { status: 'superseded' }, []],
    ['a device and a status', { deviceId: 'LAPTOP-1', status: 'delivered' }, ['run-5']],
    [
      'a status and a configuration',
      { status: 'queued', hardwareConfigurationId: CONFIGURATION.toUpperCase() },
      ['run-8'],
    ],
    [
      'a time',
      {
        deviceId: 'LAPTOP-1',
        acceptedAfter: '2026-11-23T13:00:00.002+01:00',
        acceptedBefore: '2026-11-23T12:00:00.005Z',
      },
      ['run-4', 'run-3', 'run-2'],
    ],
    ['a device nobody knows', { deviceId: 'LAPTOP-9' }, []],
  ])('by %s · has what matches · and nothing else', async (_what, query, expected) => {
    const answer = await list(query);
    expect(runs(answer.body as DeliveryListView)).toEqual(expected);
  });

  test.each([
    ['neither device nor status', { limit: '5' }, '/deviceId'],
    ['a status there is not', { status: 'lost' }, '/status'],
    ['an instant without offset', { status: 'dead', acceptedAfter: '2026-11-23T12:00:00' }, '/acceptedAfter'],
    ['a limit of 0', { status: 'dead', limit: '0' }, '/limit'],
    ['another list’s cursor', { status: 'dead', cursor: 'WzEsImQxIl0' }, '/cursor'],
  ])('%s · is refused · by the name of the member', async (_what, query, pointer) => {
    const answer = await list(query);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: 'invalid-request', errors: [{ pointer }] });
  });

  test('without the operator token · is refused · and other methods are not allowed', async () => {
    expect((await request(world.app).get('/v1/deliveries?status=dead')).status).toBe(401);
    const posted = await request(world.app).post('/v1/deliveries').set('Authorization', `Bearer ${OPERATOR_TOKEN}`);
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });
});

describe('an export', () => {
  test('as CSV · has all there are · and no cell a spreadsheet would compute', async () => {
    const { status, headers, text } = await list({ status: 'dead' }, 'text/csv');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(headers['content-disposition']).toBe('attachment; filename=deliveries.csv');
    const [head, line, end] = text.split('\r\n');
    expect(head).toMatch(/^"deliveryId","tenant","deviceId","runId",/);
    expect(line).toContain('"default","\'-2+3","run-7"');
    expect(line).toContain('"graph-400","\'=HYPERLINK(""http://x"")\\n\\u202e","400",""');
    expect(end).toBe('');
  });

  test('as NDJSON · has a delivery a line · without a limit all of them, with one so many', async () => {
    const all = (await list({ deviceId: 'LAPTOP-1' }, 'application/x-ndjson').buffer().parse(asText)).body as string;
    const parsed = all
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { runId: string; tenant: string });
    expect(parsed.length).toBeGreaterThanOrEqual(7);
    expect(parsed.at(-1)).toMatchObject({ runId: 'run-0', tenant: 'default' });
    const two = (await list({ deviceId: 'LAPTOP-1', limit: '2' }, 'application/x-ndjson').buffer().parse(asText))
      .body as string;
    expect(two.trimEnd().split('\n')).toHaveLength(2);
  });

  test('asked for with HEAD · says what it would be · without a line', async () => {
    const answer = await request(world.app)
      .head('/v1/deliveries?status=dead')
      .set('Authorization', `Bearer ${OPERATOR_TOKEN}`)
      .set('Accept', 'text/csv');
    expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([
      200,
      'text/csv; charset=utf-8',
      undefined,
    ]);
  });
});

function asText(response: request.Response, done: (error: Error | null, text: string) => void): void {
  let text = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => void (text += chunk));
  response.on('end', () => done(null, text));
}

describe('several tenants', () => {
  let file: TenantsFile;
  let api: TestApi;

  beforeAll(async () => {
    file = createTenantsFile();
    file.write([file.tenant('contoso', GROUP_KEY), file.tenant('fabrikam', Buffer.alloc(32, 5).toString('base64'))]);
    api = await startTestApi(redis, { env: { TENANTS_FILE: file.path } });
    for (const [index, { tenant }] of api.tenants.all().entries()) {
      await until('a connection', () => tenant.redis.status === 'ready');
      for (const number of [0, 1, 2]) await tenant.accept(aRun(number), T + 10 * number + index);
    }
  });
  afterAll(async () => {
    await api.close();
    file.close();
  });

  const listOf = async (query: Record<string, string>) => {
    const asked = request(api.app).get('/v1/deliveries').query(query);
    return (await asked.set('Authorization', `Bearer ${OPERATOR_TOKEN}`)).body as DeliveryListView;
  };
  const named = ({ deliveries }: DeliveryListView) => deliveries.map(({ tenant, runId }) => `${tenant} ${runId}`);

  test('listed together · are one list, newest first · across its pages', async () => {
    const first = await listOf({ status: 'queued', limit: '4' });
    expect(named(first)).toEqual(['fabrikam run-2', 'contoso run-2', 'fabrikam run-1', 'contoso run-1']);
    const second = await listOf({ status: 'queued', limit: '4', cursor: first.nextCursor ?? '' });
    expect([named(second), second.nextCursor]).toEqual([['fabrikam run-0', 'contoso run-0'], null]);
  });

  test('narrowed to one · are its own alone · by ?tenant=', async () => {
    expect(named(await listOf({ deviceId: 'device-1', tenant: 'contoso' }))).toEqual(['contoso run-1']);
  });
});
