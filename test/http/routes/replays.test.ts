// Replays at a rate over the operators' routes: started, listed, paused, resumed, cancelled, and each in the audit.
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReplayStarted, ReplaysView, ReplayView } from '../../../src/http/response/replay-schemas.ts';
import {
  OPERATOR_TOKEN,
  startTestApi,
  startTestApp,
  untilConnected,
  type TestApi,
  type TestApp,
} from '../../support/app.ts';
import { startConsumer } from '../../support/consume.ts';
import { buryDeliveries } from '../../support/dead-letters.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import { created } from '../../support/outcomes.ts';
import type { TestRedis } from '../../support/redis.ts';
import { openTestTenant, type OwnTenant } from '../../support/tenant.ts';
import { createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';
import { until } from '../../support/until.ts';

const BEARER = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
const REPLAY = '/v1/dead-letters/replay';

let redis: TestRedis;
startFreshRedis((started) => void (redis = started));

const get = ({ app }: TestApi, path: string) => request(app).get(path).set(BEARER);
const post = ({ app }: TestApi, path: string, body: object = {}) => request(app).post(path).set(BEARER).send(body);

const NOT_OF_THE_AUDIT = ['level', 'time', 'pid', 'hostname', 'msg', 'requestId'];

/** What the audit says of changes by operators, without what every line of the log has. */
const audited = ({ lines }: TestApi): Record<string, unknown>[] =>
  lines
    .filter(({ msg }) => msg === 'changed by an operator')
    .map((line) => Object.fromEntries(Object.entries(line).filter(([name]) => !NOT_OF_THE_AUDIT.includes(name))));

describe('one tenant', () => {
  let world: TestApp;

  beforeEach(async () => {
    world = await startTestApp(redis);
    await untilConnected(world);
  });
  afterEach(() => world.close());

  const bury = (count: number) => buryDeliveries({ redis, queue: world.tenant }, count, (number) => 1000 + number);

  async function start(perSecond = 0.01, filter: object = {}): Promise<ReplayView> {
    const answer = await post(world, REPLAY, { filter, perSecond });
    const [replay] = (answer.body as ReplayStarted).replays;
    if (!replay) throw new Error('it was not started');
    return replay;
  }

  const change = async ({ id }: Pick<ReplayView, 'id'>, operation: string) => {
    const answer = await post(world, `/v1/replays/${id}/${operation}`);
    return { status: answer.status, ...(answer.body as Partial<ReplayView> & { code?: string }) };
  };

  test('a filter with a rate · is answered at once · with a replay that is listed', async () => {
    await bury(5);
    const answer = await post(world, REPLAY, { filter: { code: 'graph-404' }, perSecond: 0.5 });
    const replay = {
      id: expect.stringMatching(/^r[\w-]{16}$/) as string,
      tenant: 'default',
      filter: { code: 'graph-404' },
      perSecond: 0.5,
      state: 'running',
      matched: 3,
      replayed: 0,
      skipped: 0,
      startedAt: expect.stringMatching(/^20.*Z$/) as string,
      endedAt: null,
      by: null,
    };
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ matched: 3, replayed: 0, replays: [replay] });
    expect((await get(world, '/v1/replays')).body).toEqual({ replays: [replay] });
    expect(audited(world)).toEqual([
      {
        operation: 'replay-start',
        tenantId: 'default',
        replayId: (answer.body as ReplayStarted).replays[0]?.id,
        filter: { code: 'graph-404' },
        perSecond: 0.5,
        matched: 3,
        replayed: 0,
        skipped: 0,
        changed: true,
        appId: null,
      },
    ]);
  });

  test('without a rate, or only to count · nothing is different · and nothing is left behind', async () => {
    await bury(4);
    const dry = await post(world, REPLAY, { filter: {}, perSecond: 1, dryRun: true });
    expect([dry.status, dry.body]).toEqual([200, { matched: 4, replayed: 0 }]);
    const all = await post(world, REPLAY, { filter: {} });
    expect([all.status, all.body]).toEqual([200, { matched: 4, replayed: 4 }]);
    const none = await post(world, REPLAY, { filter: {}, perSecond: 1 });
    expect([none.status, none.body]).toEqual([202, { matched: 0, replayed: 0, replays: [] }]);
    expect((await get(world, '/v1/replays')).body).toEqual({ replays: [] });
    expect(await redis.client.keys('*replay*')).toEqual([]);
  });

  test.each([
    { filter: {}, perSecond: 0 },
    { filter: {}, perSecond: 0.009 },
    { filter: {}, perSecond: 1000.5 },
    { filter: {}, perSecond: '2' },
    { filter: {}, perSecond: null },
    { deliveryId: 'dfgm6RhtiTiMRVNgn_b9Y1w', perSecond: 1 },
  ])('%j · is refused · and starts nothing', async (body) => {
    const answer = await post(world, REPLAY, body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid-request' } });
    expect(JSON.stringify(answer.body)).toMatch(/from 0\.01 to 1000|Unrecognized key: \\"perSecond/);
  });

  test('a purge · knows no rate · and is refused with one', async () => {
    await bury(1);
    expect((await post(world, '/v1/dead-letters/purge', { filter: {}, perSecond: 1 })).status).toBe(422);
    expect((await world.tenant.deliveries.counts()).dead).toBe(1);
  });

  test('pause, resume and cancel · lead from state to state · again is no fault, too late is one', async () => {
    await bury(3);
    const replay = await start();
    const steps = ['resume', 'pause', 'pause', 'resume', 'cancel', 'cancel', 'pause', 'resume'];
    const seen = [];
    for (const step of steps) {
      const { status, state, code } = await change(replay, step);
      seen.push(`${step}: ${status} ${state ?? code ?? ''}`);
    }
    expect(seen).toEqual([
      'resume: 200 running',
      'pause: 200 paused',
      'pause: 200 paused',
      'resume: 200 running',
      'cancel: 200 cancelled',
      'cancel: 200 cancelled',
      'pause: 409 replay-ended',
      'resume: 409 replay-ended',
    ]);
    expect(audited(world).map(({ operation, changed }) => [operation, changed])).toEqual([
      ['replay-start', true],
      ['replay-resume', false],
      ['replay-pause', true],
      ['replay-pause', false],
      ['replay-resume', true],
      ['replay-cancel', true],
      ['replay-cancel', false],
    ]);
    expect(audited(world)[5]).toMatchObject({
      matched: 3,
      replayed: 0,
      skipped: 0,
      seconds: expect.any(Number) as number,
    });
    expect(await change({ id: 'rAAAAAAAAAAAAAAAA' }, 'pause')).toMatchObject({ status: 404, code: 'not-found' });
    expect((await post(world, `/v1/replays/${replay.id}/end`)).status).toBe(404);
    expect((await post(world, `/v1/replays/${replay.id}/pause?tenent=a`)).status).toBe(422);
  });

  test('a second one · is refused while the first has not ended · and says which that is', async () => {
    await bury(3);
    const { id } = await start(0.01, { code: 'graph-404' });
    const second = await post(world, REPLAY, { filter: { code: 'graph-400' }, perSecond: 1 });
    expect(second).toMatchObject({ status: 409, body: { code: 'replay-running' } });
    expect((second.body as { detail: string }).detail).toContain(id);
    expect((await change({ id }, 'cancel')).status).toBe(200);
    expect((await post(world, REPLAY, { filter: {}, perSecond: 1 })).status).toBe(202);
  });

  test('many started at once · are one · and the others are refused', async () => {
    await bury(3);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => post(world, REPLAY, { filter: {}, perSecond: 0.01 })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409, 409]);
    expect(((await get(world, '/v1/replays')).body as ReplaysView).replays).toHaveLength(1);
    expect(await redis.client.keys('*:left')).toHaveLength(1);
  });

  test('a worker · replays them all · and the list has what it did', async () => {
    await bury(8);
    const queue = await openTestTenant(redis);
    const worker = startConsumer(queue, { deliver: ({ id }) => Promise.resolve(created(id)) });
    const { id } = await start(100);
    const read = async () => ((await get(world, '/v1/replays')).body as ReplaysView).replays[0];
    const done = await until('it is done', async () => {
      const replay = await read();
      return replay?.state === 'done' && replay;
    });
    expect(done).toMatchObject({ id, matched: 8, replayed: 8, skipped: 0, endedAt: expect.any(String) as string });
    await until('all are created', async () => (await queue.deliveries.counts()).delivered === 8);
    expect(await change({ id }, 'cancel')).toMatchObject({ status: 409, code: 'replay-ended' });
    await worker.close();
    await queue.close();
  });

  test('the operators’ page · starts one, shows it and changes it · in its own session', async () => {
    await bury(3);
    const page = {
      Authorization: `Basic ${Buffer.from(`any:${OPERATOR_TOKEN}`).toString('base64')}`,
      'Sec-Fetch-Site': 'same-origin',
    };
    const ask = (path: string, body: object, headers: Record<string, string> = page) =>
      request(world.app).post(`/dashboard/${path}`).set(headers).send(body);
    const overview = async () =>
      ((await request(world.app).get('/dashboard/overview.json').set(page)).body as { replay: ReplayView | null })
        .replay;
    expect(await overview()).toBeNull();
    const answer = await ask('replay', { filter: {}, perSecond: 0.01 });
    expect(answer.status).toBe(202);
    const [replay] = (answer.body as ReplayStarted).replays;
    const id = replay?.id ?? '';
    const foreign = { ...page, 'Sec-Fetch-Site': 'cross-site' };
    expect((await ask(`replays/${id}/pause`, {}, foreign)).status).toBe(403);
    expect((await ask(`replays/${id}/pause`, {})).body).toMatchObject({ id, state: 'paused' });
    expect(await until('it is shown', async () => (await overview()) ?? false)).toMatchObject({ id, state: 'paused' });
    expect((await ask(`replays/${id}/cancel`, {})).body).toMatchObject({ state: 'cancelled' });
    expect((await ask(`replays/${id}/resume`, {})).status).toBe(409);
  });
});

describe('several tenants', () => {
  const IDS = ['contoso', 'fabrikam', 'quiet'];
  let file: TenantsFile;
  let api: TestApi;
  let queues: OwnTenant[];

  beforeEach(async () => {
    file = createTenantsFile();
    file.write(IDS.map((id, index) => file.tenant(id, Buffer.alloc(32, index + 1).toString('base64'))));
    api = await startTestApi(redis, { env: { TENANTS_FILE: file.path } });
    queues = await Promise.all(IDS.map((id) => openTestTenant(redis, { id })));
    await Promise.all(
      queues.slice(0, 2).map((queue, index) => buryDeliveries({ redis, queue }, index + 1, () => 1000)),
    );
  });
  afterEach(async () => {
    await Promise.all(queues.map((queue) => queue.close()));
    await api.close();
    file.close();
  });

  test('all of them · have a replay each where anything matches · found by its id alone', async () => {
    const { status, body } = (await post(api, REPLAY, { filter: {}, perSecond: 0.01 })) as {
      status: number;
      body: ReplayStarted;
    };
    expect([status, body.matched]).toEqual([202, 3]);
    expect(body.replays.map(({ tenant, matched }) => [tenant, matched])).toEqual([
      ['contoso', 1],
      ['fabrikam', 2],
    ]);
    const id = body.replays[1]?.id ?? '';
    const narrowed = (await get(api, '/v1/replays?tenant=fabrikam')).body as ReplaysView;
    expect(narrowed.replays.map((replay) => replay.id)).toEqual([id]);
    expect((await post(api, `/v1/replays/${id}/pause?tenant=contoso`)).status).toBe(404);
    expect((await post(api, `/v1/replays/${id}/pause`)).body).toMatchObject({ tenant: 'fabrikam', state: 'paused' });
    expect(((await get(api, '/v1/replays')).body as ReplaysView).replays).toHaveLength(2);
  });

  test('one whose dead letters cannot be read · is refused · and the audit has what was started in the others', async () => {
    const dead = queues[1]?.keys.dead ?? '';
    await redis.client.del(dead);
    await redis.client.set(dead, 'no list of dead letters');
    const answer = await post(api, REPLAY, { filter: {}, perSecond: 0.01 });
    expect([answer.status, (answer.body as { code: string }).code]).toEqual([503, 'queue-unavailable']);
    await until('the other one has been started', async () => {
      const { replays } = (await get(api, '/v1/replays')).body as ReplaysView;
      return replays.length === 1;
    });
    await until('the audit has it', () => audited(api).length > 0);
    expect(audited(api)).toMatchObject([{ operation: 'replay-start', tenantId: 'contoso', matched: 1 }]);
  });

  test('one with an open replay · has none started anywhere · unless another is named', async () => {
    expect((await post(api, `${REPLAY}?tenant=contoso`, { filter: {}, perSecond: 0.01 })).status).toBe(202);
    const all = await post(api, REPLAY, { filter: {}, perSecond: 0.01 });
    expect(all).toMatchObject({ status: 409, body: { code: 'replay-running' } });
    expect((all.body as { detail: string }).detail).toContain('contoso');
    expect(((await get(api, '/v1/replays')).body as ReplaysView).replays).toHaveLength(1);
    expect((await post(api, `${REPLAY}?tenant=fabrikam`, { filter: {}, perSecond: 0.01 })).status).toBe(202);
  });
});
