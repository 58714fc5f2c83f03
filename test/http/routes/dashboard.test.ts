// The operators' page at the door: who gets in, what its JSON says, and that no other site can have anything replayed.
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { REMEDIES } from '../../../src/domain/hold/hold.ts';
import { remedyOf } from '../../../src/domain/operations/remedy.ts';
import type { Overview } from '../../../src/http/dashboard/overview.ts';
import { holdAll } from '../../support/hold.ts';
import { expectProblem } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { conclusionOf, created, rejected } from '../../support/outcomes.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun } from '../../support/tenant.ts';
import { JOBS } from '../../support/jobs.ts';

const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const BEARER = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
const PAGE = '/dashboard';
const JSON_ROUTES = ['/dashboard/overview.json', '/dashboard/search.json?text=PC-1', '/dashboard/summaries.json'];
const ROUTES = [PAGE, ...JSON_ROUTES, '/dashboard/page.js', '/dashboard/uPlot.iife.min.js', '/dashboard/queues'];

let redis: TestRedis;
let world: TestApp;
let now: number;

startFreshRedis((started) => void (redis = started));
beforeEach(async () => {
  now = NOW;
  world = await startTestApp(redis, { clock: () => now });
  await untilConnected(world);
});
afterEach(() => world.close());

const basic = (password: string, user = 'anyone') => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const ask = (path: string, headers: Record<string, string> = basic(OPERATOR_TOKEN)) =>
  request(world.app).get(path).set(headers);
const overview = async () => (await ask('/dashboard/overview.json').expect(200)).body as Overview;
const end = (run: string, outcome = created(`record-${run}`), tookMs = 0) =>
  conclusionOf({ tenant: world.tenant, run: aRun(run), outcome, instants: { acceptedAt: now - tookMs, now } });

describe('who gets in', () => {
  test.each(ROUTES)('%s · with the operator token as password or bearer · opens', async (path) => {
    for (const headers of [basic(OPERATOR_TOKEN), basic(OPERATOR_TOKEN, ''), BEARER]) {
      expect((await ask(path, headers)).status).toBe(200);
    }
  });

  test.each(ROUTES)('%s · with anything else · asks for a password', async (path) => {
    const wrong = [
      'Basic',
      'Basic !',
      `Basic ${OPERATOR_TOKEN}`,
      basic('wrong').Authorization,
      basic('').Authorization,
    ];
    for (const authorization of ['', ...wrong]) {
      expectProblem(await ask(path, authorization === '' ? {} : { Authorization: authorization }), {
        status: 401,
        code: 'unauthenticated',
        title: 'The request is not signed by a known device, or not in time',
        detail: 'any user name, and the operator token as the password',
        headers: {
          'www-authenticate': 'Basic realm="runstate-bridge", charset="UTF-8"',
        },
      });
    }
  });

  test('a service without operators · has no such page · 404', async () => {
    const without = await startTestApp(redis, { env: { OPERATOR_TOKEN: '' } });
    for (const path of ROUTES) {
      expect((await request(without.app).get(path).set(basic(''))).status).toBe(404);
    }
    expect((await request(without.app).post('/dashboard/replay').send({})).status).toBe(404);
    await without.close();
  });

  test('the password of the page · opens no other route · of the API', async () => {
    expect((await ask('/v1/status')).status).toBe(401);
    expect((await request(world.app).post('/v1/dead-letters/purge').set(basic(OPERATOR_TOKEN)).send({})).status).toBe(
      401,
    );
  });
});

describe('what a browser may do', () => {
  test('the page · is allowed nothing from elsewhere · nothing inline, no frame', async () => {
    const { headers } = await ask(PAGE);
    expect(headers).toMatchObject({
      'content-security-policy': [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ].join(';'),
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
  });

  test('the raw view · is allowed a base of its own besides · and has nothing inline', async () => {
    const { headers, text } = await ask('/dashboard/queues');
    expect(headers['content-security-policy']).toBe(
      "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';base-uri 'self';form-action 'none';frame-ancestors 'none'",
    );
    expect(headers['x-powered-by']).toBeUndefined();
    expect(text).toContain('<base href="/dashboard/queues/" />');
    expect(text).not.toMatch(/<style|style="|https:/);
  });

  test('an address with a slash at its end · leads to the page · relatively', async () => {
    expect((await ask('/dashboard/')).headers['location']).toBe('../dashboard');
  });

  test.each(['cross-site', 'same-site'])(
    'a %s page · reads nothing · with the password a browser adds',
    async (site) => {
      for (const path of [...JSON_ROUTES, '/dashboard/queues/api/queues']) {
        const answer = await ask(path, { ...basic(OPERATOR_TOKEN), 'Sec-Fetch-Site': site });
        expect(answer.body).toMatchObject({ status: 403, code: 'cross-site' });
      }
    },
  );
});

describe('the overview', () => {
  test('an empty bridge · tells everything · at zero', async () => {
    expect(await overview()).toEqual({
      at: '2026-11-23T12:00:00.000Z',
      tenantId: 'default',
      outlook: {
        kind: 'idle',
        headline: 'All delivered: nothing waits',
        why: 'Nobody submits just now.',
        todo: 'Nothing.',
      },
      notices: [],
      flow: { inPerSecond: 0, outPerSecond: 0 },
      history: expect.objectContaining({ open: expect.any(Array) as number[] }) as Overview['history'],
      counts: { queued: 0, delivering: 0, waiting: 0, delivered: 0, dead: 0, superseded: 0 },
      backlog: { open: 0, oldestAgeSeconds: 0, drainSeconds: 0 },
      budget: { writesPerSecond: 5, startWritesPerSecond: 5, used: 0 },
      holds: [],
      graph: ['no create has succeeded yet'],
      replay: null,
      deadLetters: { total: 0, counted: 0, causes: [] },
      latest: [],
      slowest: [],
    });
  });

  test('results that came and went · flow in and out · latest and slowest are distinguished', async () => {
    await overview();
    now += 10_000;
    const slow = await end('1', created('r1'), 8000);
    const quick = await end('2', created('r2'), 1500);
    await world.tenant.deliveries.accept(aRun('3'), now - 4000);
    const { flow, backlog, latest, slowest, counts, budget } = await overview();
    expect(flow).toEqual({ inPerSecond: 0.3, outPerSecond: 0.2 });
    expect(budget.used).toBeCloseTo(0.04);
    expect(backlog).toEqual({ open: 1, oldestAgeSeconds: 4, drainSeconds: 0.2 });
    expect(counts).toMatchObject({ queued: 1, delivered: 2 });
    const row = { status: 'delivered', endedAt: new Date(now).toISOString(), code: null };
    const rows = [
      { ...row, deliveryId: quick.id, deviceId: 'device-2', runId: 'run-2', seconds: 1.5 },
      { ...row, deliveryId: slow.id, deviceId: 'device-1', runId: 'run-1', seconds: 8 },
    ];
    expect(latest).toEqual(rows);
    expect(slowest).toEqual(rows.toReversed());
  });

  test('a hold · is the headline · with its remedy, and the time of the end is unknown', async () => {
    await world.tenant.deliveries.accept(aRun('1'), now);
    await holdAll(world.tenant.budget, 'forbidden', '403 Forbidden');
    const { outlook, holds, backlog } = await overview();
    expect(outlook).toMatchObject({
      kind: 'held',
      why: expect.stringContaining('403 Forbidden. 1 run result wait') as string,
    });
    expect(outlook.todo).toContain(REMEDIES.forbidden);
    expect(holds).toMatchObject([{ reason: 'forbidden', detail: '403 Forbidden', remedy: REMEDIES.forbidden }]);
    expect(backlog.drainSeconds).toBeNull();
  });

  test('dead letters · are counted by cause · with what to do', async () => {
    for (const [run, status] of [
      ['1', 404],
      ['2', 413],
      ['3', 404],
    ] as const)
      await end(run, rejected(status));
    const at = new Date(now).toISOString();
    expect((await overview()).deadLetters).toEqual({
      total: 3,
      counted: 3,
      causes: [
        { code: 'graph-404', count: 2, remedy: remedyOf('graph-404'), latestAt: at },
        { code: 'graph-413', count: 1, remedy: remedyOf('graph-413'), latestAt: at },
      ],
    });
  });

  test('many who look at once · cost one reading · and all see the same', async () => {
    /** Commands that this many viewers cost, those within scripts among them. */
    async function costOf(viewers: number): Promise<number> {
      now += 1000;
      const before = await commandsServed();
      const all = await Promise.all(Array.from({ length: viewers }, overview));
      expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(1);
      return (await commandsServed()) - before;
    }
    await overview();
    const one = await costOf(1);
    // Samples and other readings of the process come at any time.
    expect(await costOf(20)).toBeLessThan(2 * one);
  });

  test('a weak durability · is a notice · beside the headline', async () => {
    await redis.client.config('SET', 'appendfsync', 'everysec');
    try {
      expect((await overview()).notices).toEqual([
        'durability: durability is everysec: set appendonly yes and appendfsync always',
      ]);
    } finally {
      await redis.client.config('SET', 'appendfsync', 'always');
    }
  });
});

async function commandsServed(): Promise<number> {
  return Number(/^total_commands_processed:(\d+)/m.exec(await redis.client.info('stats'))?.[1]);
}

describe('the search', () => {
  test('a device, a run or a delivery · is found · and explained', async () => {
    const { id } = await end('7', rejected(404));
    for (const text of ['device-7', 'run-7', id, ` ${id} `]) {
      const { body } = (await ask(`/dashboard/search.json?text=${encodeURIComponent(text)}`).expect(200)) as {
        body: { found: { explanation: { happened: string[] } }[]; complete: boolean };
      };
      expect(body).toMatchObject({
        found: [
          {
            deliveryId: id,
            deviceId: 'device-7',
            explanation: { next: remedyOf('graph-404'), waitingFor: 'an operator' },
          },
        ],
        complete: true,
      });
      expect(body.found[0]?.explanation.happened.join()).toContain('Graph said 404');
    }
  });

  test('what nobody knows · is not found · completely', async () => {
    expect((await ask('/dashboard/search.json?text=nobody')).body).toEqual({ found: [], complete: true });
  });

  test.each(['', '?text=', '?text=%20', `?text=${'x'.repeat(129)}`, '?text=a&text=b'])(
    '%s · is no question · 422',
    async (query) => {
      expect((await ask(`/dashboard/search.json${query}`)).body).toMatchObject({
        status: 422,
        code: 'invalid-request',
      });
    },
  );

  test('a run result’s own text · is never shown · to anyone', async () => {
    await conclusionOf({
      tenant: world.tenant,
      run: aRun('8', { output: 'SECRET-OUTPUT', upn: 'ada@contoso.example' }),
      outcome: rejected(404),
      instants: {
        acceptedAt: now,
        now,
      },
    });
    const answers = await Promise.all(
      ['/dashboard/search.json?text=device-8', '/dashboard/overview.json'].map((path) => ask(path)),
    );
    expect(JSON.stringify(answers.map(({ body }) => body as unknown))).not.toMatch(/SECRET-OUTPUT|contoso/);
  });
});

describe('the replay', () => {
  const FROM_PAGE = { ...basic(OPERATOR_TOKEN), 'Sec-Fetch-Site': 'same-origin' };
  const replay = (body: object | string, headers: Record<string, string>) =>
    request(world.app)
      .post('/dashboard/replay')
      .set({ 'Content-Type': 'application/json', ...headers })
      .send(body);

  test('from the page · is counted first · and then done', async () => {
    const { id } = await end('1', rejected(404));
    await end('2', rejected(413));
    const filter = { code: 'graph-404' };
    expect((await replay({ filter, dryRun: true }, FROM_PAGE)).body).toEqual({ matched: 1, replayed: 0 });
    expect((await world.tenant.deliveries.find(id))?.status).toBe('dead');
    expect((await replay({ filter }, FROM_PAGE)).body).toEqual({ matched: 1, replayed: 1 });
    expect((await world.tenant.deliveries.find(id))?.status).toBe('queued');
  });

  test.each<[string, Record<string, string>]>([
    ['a bearer', BEARER],
    ['a page over plain HTTP', { ...basic(OPERATOR_TOKEN), Host: 'bridge:8080', Origin: 'http://bridge:8080' }],
    ['a page behind a proxy that changes the host', { ...FROM_PAGE, Host: 'inside', Origin: 'https://outside' }],
  ])('%s · may ask · too', async (_, headers) => {
    expect((await replay({ filter: {} }, headers)).body).toEqual({ matched: 0, replayed: 0 });
  });

  test.each<[string, Record<string, string>]>([
    ['another site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'http://bridge:8080' }],
    ['a neighbour of the same site', { 'Sec-Fetch-Site': 'same-site' }],
    ['another origin over plain HTTP', { Origin: 'http://evil.example' }],
    ['another port', { Origin: 'http://bridge:9090' }],
    ['an origin that is hidden', { Origin: 'null' }],
    ['nobody knows where', {}],
  ])('%s · with the password a browser adds · replays nothing', async (_, headers) => {
    const { id } = await end('1', rejected(404));
    const answer = await replay({ filter: {} }, { ...basic(OPERATOR_TOKEN), Host: 'bridge:8080', ...headers });
    expect(answer.body).toMatchObject({
      status: 403,
      code: 'cross-site',
      detail: 'only this service’s own page may ask this with a password',
    });
    expect((await world.tenant.deliveries.find(id))?.status).toBe('dead');
  });

  test('a form’s body · replays nothing · from any sender', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const answer = await replay('{"filter":{}}', { ...FROM_PAGE, 'Content-Type': type });
      expect(answer.body).toMatchObject({ status: 415, code: 'unsupported-media-type' });
    }
  });

  test('what is no selection · is refused · with its faults', async () => {
    expect((await replay({ everything: true }, FROM_PAGE)).body).toMatchObject({
      status: 422,
      code: 'invalid-request',
    });
  });
});

describe('the raw view', () => {
  test('jobs · hold nothing but ids · whatever is in one', async () => {
    await world.tenant.deliveries.accept(aRun('1', { output: 'SECRET-OUTPUT' }), now);
    await world.tenant.deliveries.promote();
    const { body } = (await ask('/dashboard/queues/api/queues?activeQueue=deliveries').expect(200)) as {
      body: { queues: { readOnlyMode: boolean; jobs: { id: string; data: unknown }[] }[] };
    };
    const [queue] = body.queues;
    expect(queue?.readOnlyMode).toBe(true);
    expect(queue?.jobs).toMatchObject([
      { id: expect.stringMatching(/^default\.d[\w-]{22}$/) as string, name: 'deliver', data: {} },
    ]);
    expect(JSON.stringify(body)).not.toContain('SECRET-OUTPUT');
    const job = queue?.jobs[0]?.id ?? '';
    await redis.client.hset(`${JOBS}:${job}`, 'data', '{"output":"SECRET-OUTPUT"}', 'returnvalue', '"SECRET-OUTPUT"');
    expect((await ask(`/dashboard/queues/api/queues/deliveries/${job}`)).text).not.toContain('SECRET-OUTPUT');
  });

  test.each(['put', 'post', 'patch', 'delete'] as const)('%s · changes nothing · 405', async (method) => {
    const answer = await request(world.app)[method]('/dashboard/queues/api/queues/deliveries/pause').set(BEARER);
    expect(answer.body).toMatchObject({ status: 405, code: 'method-not-allowed' });
    expect(answer.headers['allow']).toBe('GET, HEAD');
  });

  test('settings of Redis · are not shown · to anyone', async () => {
    expect((await ask('/dashboard/queues/api/redis/stats')).status).toBe(403);
  });
});

test('Redis away · is said · in the page’s JSON too', async () => {
  await redis.kill();
  try {
    now += 5000;
    expect((await ask('/dashboard/overview.json')).body).toMatchObject({ status: 503, code: 'queue-unavailable' });
    expect((await ask('/dashboard/search.json?text=x')).body).toMatchObject({ status: 503, code: 'queue-unavailable' });
    expect((await ask(PAGE)).status).toBe(200);
  } finally {
    await redis.start();
  }
});
