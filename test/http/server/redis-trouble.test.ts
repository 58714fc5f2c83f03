// Redis away, hung or full: every submission hears 503 within 2 s, none hangs, and within 2 s of its return all is well.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem, type Answer } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startListeningApp, type ListeningApp } from '../../support/app.ts';
import { runResult } from '../../support/device.ts';
import { send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { submitTo } from '../../support/submit.ts';
import { until } from '../../support/until.ts';

/** What a caller may have to wait. */
const ANSWERED_WITHIN_MS = 2000;
const BACK_WITHIN_MS = 2000;
const MANY = 100;

let redis: TestRedis;
let world: ListeningApp;
let port: number;
let chance: number;

beforeEach(async () => {
  chance = 0.5;
  redis = await startTestRedis();
  world = await startListeningApp(redis, { random: () => chance });
  ({ port } = world);
});
afterEach(async () => {
  redis.signal('SIGCONT');
  await world.close();
  await redis.close();
});

const submit = (runId: string, output = ''): Promise<Answer> => {
  const body = JSON.stringify(runResult({ runId, output }));
  return submitTo(port, body);
};
const get = (path: string, headers: Record<string, string> = {}) => send({ port, method: 'GET', path, headers });

async function timed<T>(promise: Promise<T>): Promise<[T, number]> {
  const startedAt = performance.now();
  return [await promise, performance.now() - startedAt];
}

const UNAVAILABLE = {
  status: 503,
  code: 'queue-unavailable',
  title: 'The queue is not available; nothing is promised',
};

async function expectUnavailable(runId: string, output?: string): Promise<void> {
  const before = await world.counted('queue-unavailable');
  const [answer, tookMs] = await timed(submit(runId, output));
  const requestId = expectProblem(answer, {
    ...UNAVAILABLE,
    detail: 'nothing is promised; send it again later',
    headers: { 'retry-after': '16' },
  });
  expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS);
  expect(await world.told(requestId)).toMatchObject({
    msg: 'submission',
    status: 503,
    outcome: 'refused',
    code: 'queue-unavailable',
  });
  expect(await world.counted('queue-unavailable')).toBe(before + 1);
  expect(world.lines.some(({ msg }) => msg === 'the queue did not answer a request')).toBe(true);
}

async function expectAllUnavailable(prefix: string): Promise<void> {
  const [answers, tookMs] = await timed(Promise.all(Array.from({ length: MANY }, (_, n) => submit(`${prefix}-${n}`))));
  expect(answers.filter(({ status }) => status !== 503)).toEqual([]);
  expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS + 500);
}

/** A 202 for each run of a prefix in its turn, until one is accepted. */
async function untilAccepted(prefix: string): Promise<void> {
  let n = 0;
  const [, tookMs] = await timed(
    until('a submission is accepted', async () => (await submit(`${prefix}-${n++}`)).status === 202, BACK_WITHIN_MS),
  );
  expect(tookMs).toBeLessThan(BACK_WITHIN_MS);
}

const FAILING = {
  status: 503,
  body: {
    status: 'failing',
    checks: { redis: { ok: false, detail: 'does not answer; submissions are refused with 503' } },
  },
};

async function expectFailing(): Promise<void> {
  const [ready, tookMs] = await timed(get('/readyz'));
  expect(ready).toMatchObject(FAILING);
  expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS);
  expect(await get('/livez')).toMatchObject({ status: 200, body: { status: 'ok' } });
  const [metrics, scrapedMs] = await timed(fetch(`http://127.0.0.1:${port}/metrics`));
  expect(await metrics.text()).toMatch(
    /^runstate_submissions_total\{outcome="refused",code="queue-unavailable"\} \d+$/m,
  );
  expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(scrapedMs).toBeLessThan(ANSWERED_WITHIN_MS);
}

async function expectOk(): Promise<void> {
  expect(await get('/readyz')).toMatchObject({ status: 200, body: { status: 'ok', checks: { redis: { ok: true } } } });
}

test('Redis away · is answered with 503 at once, by the many too · and all is well within 2 s of its return', async () => {
  await expectOk();
  const { deliveryId } = (await submit('before')).body as { deliveryId: string };
  await redis.kill();
  await expectUnavailable('during');
  await expectAllUnavailable('many');
  await expectFailing();

  const delivery = await get(`/v1/deliveries/${deliveryId}`, { Authorization: `Bearer ${OPERATOR_TOKEN}` });
  expectProblem(delivery, { ...UNAVAILABLE, detail: 'ask again later', headers: { 'retry-after': '16' } });

  await redis.start();
  await untilAccepted('after');
  await expectOk();
  expect(await submit('before')).toMatchObject({ status: 200, body: { deliveryId, duplicate: true } });
});

test('Redis away · refuses what it would refuse anyway · without asking for the queue', async () => {
  await redis.kill();
  expect(
    await send({
      port,
      method: 'POST',
      path: '/v1/run-results',
      headers: { 'Content-Type': 'application/json' },
      body: '{}',
    }),
  ).toMatchObject({
    status: 401,
  });
  expect(await submit('not a run id')).toMatchObject({ status: 422 });
});

test('Redis hung · is answered with 503 within 2 s, by the many too · and all is well within 2 s of its return', async () => {
  redis.signal('SIGSTOP');
  await expectUnavailable('during');
  await expectAllUnavailable('many');
  await expectFailing();
  const [delivery, tookMs] = await timed(
    get('/v1/deliveries/dAAAAAAAAAAAAAAAAAAAAAA', { Authorization: `Bearer ${OPERATOR_TOKEN}` }),
  );
  expect(delivery.status).toBe(503);
  expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS);

  redis.signal('SIGCONT');
  await untilAccepted('after');
  await expectOk();
  const again = await submit('during');
  expect([200, 202]).toContain(again.status);
  const { deliveryId } = again.body as { deliveryId: string };
  expect(await submit('during')).toMatchObject({ status: 200, body: { deliveryId, duplicate: true } });
});

test('Redis full · is answered with 503 · and nothing accepted before is lost', async () => {
  const before = await submit('before');
  expect(before.status).toBe(202);
  await redis.client.config('SET', 'maxmemory', '1mb');
  await expectUnavailable('during');
  await expectAllUnavailable('many');
  expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe('1');
  const { deliveryId } = before.body as { deliveryId: string };
  const known = await get(`/v1/deliveries/${deliveryId}`, { Authorization: `Bearer ${OPERATOR_TOKEN}` });
  expect(known).toMatchObject({ status: 200, body: { deliveryId, status: 'queued' } });
  expect(await get('/livez')).toMatchObject({ status: 200 });

  await redis.client.config('SET', 'maxmemory', '0');
  await untilAccepted('after');
});

test.each([
  [0, '2'],
  [0.999, '30'],
])('Retry-After · is spread at random · and a chance of %d makes it %s s', async (random, expected) => {
  chance = random;
  await redis.kill();
  expect((await submit('during')).headers['retry-after']).toBe(expected);
});

test.each<[string, string[], string]>([
  ['no append-only file', ['appendonly', 'no'], 'durability is none: set appendonly yes and appendfsync always'],
  [
    'an fsync every second',
    ['appendfsync', 'everysec'],
    'durability is everysec: set appendonly yes and appendfsync always',
  ],
  ['no fsync', ['appendfsync', 'no'], 'durability is no: set appendonly yes and appendfsync always'],
  ['eviction', ['maxmemory-policy', 'allkeys-lru'], 'maxmemory-policy is allkeys-lru: set noeviction'],
])(
  'Redis with %s · is degraded, still serves · and says what to set',
  async (_what, [name = '', value = ''], detail) => {
    await redis.client.config('SET', name, value);
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: { status: 'degraded', checks: { redis: { ok: true }, durability: { ok: false, detail } } },
    });
    expect((await submit('weak')).status).toBe(202);

    const status = await get('/v1/status', { Authorization: `Bearer ${OPERATOR_TOKEN}` });
    const durability = name === 'appendonly' ? 'none' : name === 'appendfsync' ? value : 'always';
    expect(status).toMatchObject({ status: 200, body: { durability } });
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const logged = await until('the durability is told', () => world.lines.find((line) => line['detail'] === detail));
    expect(logged).toMatchObject({ msg: 'durability in force', durability });
  },
);

test('a healthy Redis · is ok by every check · and reported once', async () => {
  expect(await get('/readyz')).toMatchObject({
    status: 200,
    body: {
      status: 'ok',
      checks: {
        redis: { ok: true, detail: 'answers' },
        durability: { ok: true, detail: 'always: a write is fsynced before it is acknowledged' },
        graph: { ok: true, detail: 'not held' },
      },
    },
  });
  expect(world.lines.filter(({ msg }) => msg === 'durability in force')).toMatchObject([{ durability: 'always' }]);
});
