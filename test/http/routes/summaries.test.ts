// GET /v1/summaries: what became of what was accepted, by day and configuration, as JSON and as CSV.
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAY_MS, dayOf, toDate } from '../../../src/domain/summaries/day.ts';
import type { SummaryListView, SummaryView } from '../../../src/http/response/response-schemas.ts';
import type { Tenant } from '../../../src/queue/tenant.ts';
import {
  OPERATOR_TOKEN,
  startTestApi,
  startTestApp,
  untilConnected,
  type TestApi,
  type TestApp,
} from '../../support/app.ts';
import { GROUP_KEY } from '../../support/device.ts';
import { conclusionOf, created, rejected } from '../../support/outcomes.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';
import { aRun } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const TODAY = dayOf(Date.now());
const NOW = TODAY * DAY_MS + 3_600_000;
const [ONE, OTHER] = ['11111111-2222-3333-4444-555555555555', '99999999-2222-4333-8444-555555555555'] as const;
const date = (daysAgo: number) => toDate(TODAY - daysAgo);

let redis: TestRedis;
let world: TestApp;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis, { clock: () => NOW });
  await untilConnected(world);
  await end('1', 0, { tookMs: 200 });
  await end('2', 0, { tookMs: 60_000 });
  await end('3', 0, { outcome: rejected(404) });
  await world.tenant.accept(aRun('4', { exitCode: 3010 }), NOW);
  await end('5', 2, { tookMs: 500, hardwareConfigurationId: OTHER });
  await end('6', 2, { tookMs: 500 });
  await end('7', 29, {});
  await end('8', 30, {});
  await end('9', 399, {});
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

type Ended = { tookMs?: number; outcome?: ReturnType<typeof created>; hardwareConfigurationId?: string };

function end(run: string, daysAgo: number, { tookMs = 0, outcome, hardwareConfigurationId = ONE }: Ended) {
  const acceptedAt = NOW - daysAgo * DAY_MS;
  return conclusionOf({
    tenant: world.tenant,
    run: aRun(run, { hardwareConfigurationId }),
    outcome: outcome ?? created(`record-${run}`),
    instants: { acceptedAt, now: acceptedAt + tookMs },
  });
}

const ask = (query: object, accepts = 'application/json', app = world.app) =>
  request(app)
    .get('/v1/summaries')
    .query(query)
    .set('Authorization', `Bearer ${OPERATOR_TOKEN}`)
    .set('Accept', accepts);
const list = async (query: object, app = world.app) =>
  (await ask(query, 'application/json', app).expect(200)).body as SummaryListView;

const names = ({ summaries }: SummaryListView) =>
  summaries.map(({ day, hardwareConfigurationId }) => `${day} ${String(hardwareConfigurationId).slice(0, 1)}`);

describe('summaries', () => {
  test('of a day and a configuration · say what was accepted and what became of it · whole', async () => {
    const { summaries, nextCursor } = await list({ from: date(0) });
    expect(nextCursor).toBeNull();
    expect(summaries).toEqual([
      {
        tenant: 'default',
        day: date(0),
        hardwareConfigurationId: ONE,
        accepted: 4,
        states: { unknown: 0, success: 3, fail: 0, scriptError: 0, pending: 1, notApplicable: 0 },
        outcomes: { delivered: 2, dead: 1, superseded: 0, open: 1 },
        latencySeconds: {
          p50: expect.closeTo(0.2, 1) as number,
          p90: expect.closeTo(60, -1) as number,
          p99: expect.closeTo(60, -1) as number,
        },
      } satisfies SummaryView,
    ]);
  });

  test.each([
    ['nothing', {}, [`${date(29)} 1`, `${date(2)} 1`, `${date(2)} 9`, `${date(0)} 1`]],
    ['a last day', { to: date(30) }, [`${date(30)} 1`]],
    ['the longest period', { from: date(399), hardwareConfigurationId: OTHER.toUpperCase() }, [`${date(2)} 9`]],
    ['one day', { from: date(2), to: date(2) }, [`${date(2)} 1`, `${date(2)} 9`]],
    ['a time in which there was nothing', { from: date(20), to: date(10) }, []],
  ])('asked for by %s · are in order of day and configuration · and no others', async (_what, query, expected) => {
    expect(names(await list(query))).toEqual(expected);
  });

  test('page by page · each is there once · also a day whose configurations are on two pages', async () => {
    const all = names(await list({ from: date(399) }));
    expect(all).toHaveLength(6);
    for (const limit of ['1', '4', '6']) {
      const paged: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await list({ from: date(399), limit, ...(cursor !== null && { cursor }) });
        expect(page.summaries.length).toBeLessThanOrEqual(Number(limit));
        paged.push(...names(page));
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(paged).toEqual(all);
    }
  });

  test('of which nothing was created · have no latency · rather than 0', async () => {
    await world.tenant.accept(aRun('none', { hardwareConfigurationId: OTHER }), NOW - 50 * DAY_MS);
    const { summaries } = await list({ from: date(50), to: date(50) });
    expect(summaries).toMatchObject([{ latencySeconds: { p50: null, p90: null, p99: null }, outcomes: { open: 1 } }]);
  });

  test.each([
    ['a day that is none', { from: '2026-02-30' }, ['/from']],
    ['an instant', { to: '2026-11-23T10:00:00Z' }, ['/to']],
    ['a period that ends before it begins', { from: date(1), to: date(2) }, ['/from']],
    ['one that begins tomorrow', { from: date(-1) }, ['/from']],
    ['one of 401 days', { from: date(400) }, ['/from']],
    ['a configuration that is no GUID', { hardwareConfigurationId: 'bios' }, ['/hardwareConfigurationId']],
    ['a limit of 10,001', { limit: '10001' }, ['/limit']],
    ['a cursor of another list', { cursor: '4k3j2.dAAAAAAAAAAAAAAAAAAAAAA' }, ['/cursor']],
    ['another parameter', { configuration: ONE }, ['']],
    ['several at once', { from: date(401), limit: '0', to: date(0) }, ['/limit', '/from']],
    ['the same twice', { from: [date(3), date(2)] }, ['/from']],
  ])('%s · is refused · naming each fault', async (_what, query, pointers) => {
    const answer = await ask(query);
    expect(answer.status).toBe(422);
    const { errors } = answer.body as { errors: { pointer: string }[] };
    expect(errors.map(({ pointer }) => pointer)).toEqual(pointers);
  });

  test('without the operator token · are refused · and other methods are not allowed', async () => {
    expect((await request(world.app).get('/v1/summaries')).status).toBe(401);
    const posted = await request(world.app).post('/v1/summaries').set('Authorization', `Bearer ${OPERATOR_TOKEN}`);
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });
});

test('as CSV · has all there are · a line each under a line of names', async () => {
  const { headers, text } = await ask({ from: date(2) }, 'text/csv');
  expect(headers['content-disposition']).toBe('attachment; filename=summaries.csv');
  const lines = text.split('\r\n');
  expect(lines).toHaveLength(5);
  expect(lines[0]).toBe(
    '"tenant","day","hardwareConfigurationId","accepted","unknown","success","fail","scriptError","pending","notApplicable","delivered","dead","superseded","open","p50Seconds","p90Seconds","p99Seconds"',
  );
  expect(lines[2]).toMatch(
    new RegExp(`^"default","${date(2)}","${OTHER}","1","0","1","0","0","0","0","1","0","0","0","0\\.\\d+",`),
  );
  expect(lines[4]).toBe('');
  expect((await ask({ from: date(2), limit: '1' }, 'text/csv')).text.split('\r\n')).toHaveLength(3);
});

describe('several tenants', () => {
  let file: TenantsFile;
  let api: TestApi;

  beforeAll(async () => {
    file = createTenantsFile();
    file.write([file.tenant('contoso', GROUP_KEY), file.tenant('fabrikam', Buffer.alloc(32, 5).toString('base64'))]);
    api = await startTestApi(redis, { env: { TENANTS_FILE: file.path }, clock: () => NOW });
    for (const { tenant } of api.tenants.all()) {
      await until('a connection', () => tenant.redis.status === 'ready');
      await acceptAt(tenant, 1);
      if (tenant.id === 'contoso') await acceptAt(tenant, 0);
    }
  });
  afterAll(async () => {
    await api.close();
    file.close();
  });

  const acceptAt = (tenant: Tenant, daysAgo: number) =>
    tenant.deliveries.accept(aRun(`${tenant.id}-${daysAgo}`), NOW - daysAgo * DAY_MS);
  const named = ({ summaries }: SummaryListView) => summaries.map(({ day, tenant }) => `${day} ${tenant}`);

  test('listed together · are one list by day · across its pages', async () => {
    const first = await list({ limit: '1' }, api.app);
    const second = await list({ cursor: first.nextCursor }, api.app);
    expect([named(first), named(second)]).toEqual([
      [`${date(1)} contoso`],
      [`${date(1)} fabrikam`, `${date(0)} contoso`],
    ]);
  });

  test('narrowed to one · are its own alone · by ?tenant=', async () => {
    expect(named(await list({ tenant: 'fabrikam' }, api.app))).toEqual([`${date(1)} fabrikam`]);
  });
});
