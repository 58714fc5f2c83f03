// 429 backlog-full: what waits has a limit in bytes, in memory and in age; known runs are answered, and room opens by itself.
import request from 'supertest';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem, type Answer, type Problem } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { runResult, sign } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const COUNTS = 'runstate:{default}:counts';

let redis: TestRedis;
let world: TestApp | undefined;
let now: number;
let chance: number;

beforeEach(async () => {
  [now, chance] = [Date.now(), 0.5];
  redis = await startTestRedis();
});
afterEach(async () => {
  await world?.close();
  await redis.close();
});

async function start(env: Record<string, string> = {}): Promise<TestApp> {
  world = await startTestApp(redis, { env, clock: () => now, random: () => chance });
  await untilConnected(world);
  return world;
}

function submit(
  { app }: TestApp,
  runId: string,
  { output = '', ...members }: Record<string, unknown> = {},
): Promise<Answer> {
  const body = JSON.stringify(runResult({ runId, output, ...members }));
  const headers = { 'Content-Type': 'application/json', ...sign({ body, createdS: Math.floor(now / 1000) }) };
  return Promise.resolve(request(app).post('/v1/run-results').set(headers).send(body));
}

const backlogFull = (retryAfter: number): Problem => ({
  status: 429,
  code: 'backlog-full',
  title: 'Too much waits already; nothing is stored',
  detail: 'as much waits as this service may hold; send it again later',
  headers: { 'retry-after': String(retryAfter) },
});

/** Submits failed runs until it is full. @returns how many were accepted */
async function fill(full: TestApp, { name = 'fill', ...members }: Record<string, unknown> = {}): Promise<number> {
  for (let n = 0; ; n += 1) {
    const { status } = await submit(full, `${String(name)}-${n}`, { state: 'fail', ...members });
    if (status === 429) return n;
    expect(status).toBe(202);
  }
}

/** Submits a new run each time, until one is answered like this. */
async function untilAnswered(status: number): Promise<Answer> {
  let n = 0;
  return until(`a ${status}`, async () => {
    const answer = await submit(world as TestApp, `try-${n++}`);
    return answer.status === status && answer;
  });
}

const queued = async () => Number((await redis.client.hget(COUNTS, 'queued')) ?? 0);

/** As the workers would: nothing is open any more. */
const drain = () => redis.client.hset(COUNTS, { bytes: 0, queued: 0 });

async function expectReady(full: TestApp, status: string, detail: unknown): Promise<void> {
  const ready = await request(full.app).get('/readyz');
  expect(ready).toMatchObject({ status: 200, body: { status, checks: { backlog: { ok: status === 'ok', detail } } } });
}

test('as many bytes as may wait · is backlog-full · reported, counted, not stored, and over when they are gone', async () => {
  const full = await start({ MAX_BACKLOG_BYTES: '20000' });
  await expectReady(full, 'ok', 'has room');
  const accepted = await fill(full);
  expect(accepted).toBeGreaterThan(20);
  const bytes = Number(await redis.client.hget(COUNTS, 'bytes'));
  expect(bytes).toBeGreaterThanOrEqual(20_000);
  expect(bytes).toBeLessThan(21_000);

  const before = await full.counted('backlog-full');
  const requestId = expectProblem(await submit(full, 'one-more'), backlogFull(60));
  expect(await full.told(requestId)).toMatchObject({
    msg: 'submission',
    status: 429,
    outcome: 'refused',
    code: 'backlog-full',
  });
  expect(await full.counted('backlog-full')).toBe(before + 1);
  expect(await queued()).toBe(accepted);
  await expectReady(full, 'degraded', expect.stringMatching(/^0\.02 MiB wait, and MAX_BACKLOG_BYTES are 0\.02 MiB; /));

  await drain();
  await untilAnswered(202);
  await expectReady(full, 'ok', 'has room');
  expect(full.lines.filter(({ msg }) => /backlog|there is room/.test(msg))).toMatchObject([
    { level: 40, msg: 'backlog nearly full: only failed runs (fail, scriptError) are accepted' },
    {
      level: 40,
      msg: 'backlog full: submissions are refused',
      fullness: expect.stringContaining('MiB wait') as string,
    },
    { level: 30, msg: 'there is room again: submissions are accepted' },
  ]);
});

test('a crowd at a backlog that is nearly full · is accepted as far as there is room · and no further', async () => {
  const full = await start({ MAX_BACKLOG_BYTES: '1000000' });
  const output = 'x'.repeat(100_000);
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => submit(full, `crowd-${n}`, { output })));
  const accepted = answers.filter(({ status }) => status === 202).length;
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(60 - accepted);
  expect(Number(await redis.client.hget(COUNTS, 'bytes'))).toBeLessThan(1_500_000);
  expect(accepted).toBeGreaterThanOrEqual(5);
});

test('a crowd that is small · is accepted whole · though it might have been too large', async () => {
  const full = await start({ MAX_BACKLOG_BYTES: '60000' });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => submit(full, `crowd-${n}`)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
});

test('a run that is known · is answered while all is full · as ever, and nothing is stored for it', async () => {
  const full = await start({ MAX_BACKLOG_BYTES: '20000' });
  const accepted = await fill(full);
  expect(await submit(full, 'fill-0', { state: 'fail' })).toMatchObject({
    status: 200,
    body: { runId: 'fill-0', duplicate: true },
  });
  expect(await submit(full, 'fill-0', { output: 'other content' })).toMatchObject({
    status: 409,
    body: { code: 'run-id-reused' },
  });
  expect((await submit(full, 'fill-unknown')).status).toBe(429);
  expect(await queued()).toBe(accepted);
});

test('four fifths of maxmemory · are backlog-full · long before Redis refuses anything itself', async () => {
  await redis.client.config('SET', 'maxmemory', '20mb');
  const full = await start();
  const accepted = await fill(full, { output: 'x'.repeat(200_000) });
  expect(accepted).toBeGreaterThan(10);
  const memory = await redis.client.info('memory');
  const used = Number(/^used_memory:(\d+)/m.exec(memory)?.[1]) / (20 * 1_048_576);
  expect(used).toBeGreaterThan(0.5);
  expect(used).toBeLessThan(0.9);
  expect(full.lines.filter(({ msg }) => msg === 'the queue did not answer a request')).toEqual([]);
});

test('four fifths of maxmemory · is degraded, not failing · and says what Redis holds', async () => {
  const full = await start();
  await redis.client.set('ballast', 'x'.repeat(19 * 1_048_576));
  await redis.client.config('SET', 'maxmemory', '25mb');
  await untilAnswered(429);
  await expectReady(full, 'degraded', expect.stringMatching(/^Redis holds [\d.]+ MiB, and maxmemory are 25 MiB; /));
  await redis.client.del('ballast');
  await untilAnswered(202);
});

test('a delivery older than may be · is backlog-full · until it has ended', async () => {
  const full = await start({ MAX_BACKLOG_AGE_H: '2' });
  expect((await submit(full, 'old')).status).toBe(202);
  now += 2 * HOUR_MS - 1;
  expect((await submit(full, 'in-time')).status).toBe(202);
  now += 1;
  await untilAnswered(429);
  await expectReady(
    full,
    'degraded',
    'the oldest delivery waits for 2 h, and MAX_BACKLOG_AGE_H is 2 h; submissions are refused with 429 until there is room',
  );
  expect((await submit(full, 'old')).status).toBe(200);
});

test.each([
  ['little waits', 0, 0, 30],
  ['little waits', 0, 0.999, 90],
  ['an hour’s work waits', 3600, 0.999, 390],
  ['a week’s work waits', 7 * 24 * 3600, 0.999, 900],
])(
  'Retry-After · where %s · is spread over %d s of work by a chance of %d',
  async (_what, drainS, random, expected) => {
    chance = random;
    await redis.client.hset(COUNTS, { bytes: 1000, queued: drainS * 5 });
    await start({ MAX_BACKLOG_BYTES: '1', GRAPH_WRITES_PER_20S: '100' });
    expectProblem(await untilAnswered(429), backlogFull(expected));
  },
);

test('no limit of any kind · is never full · and says so', async () => {
  const full = await start();
  await redis.client.hset(COUNTS, { bytes: 1e12, queued: 1e9 });
  expect((await submit(full, 'one')).status).toBe(202);
  await expectReady(full, 'ok', 'has room');
});

/** As if this share of the bytes waited, and once that is noticed. */
async function fillTo(full: TestApp, share: number, room: string): Promise<void> {
  await redis.client.hset(COUNTS, { bytes: Math.round(share * LIMIT), queued: 1000 });
  // A submission, stored once, has the backlog looked at.
  await until(`room for ${room}`, async () => {
    await submit(full, 'look', { state: 'fail' });
    return full.tenant.backlogState().room === room;
  });
}

const LIMIT = 1_000_000;
const KEPT = 'submissions are refused with 429, except those of failed runs (fail, scriptError)';

/** The tenant's part of the status. */
async function readBacklog({ app }: TestApp): Promise<unknown> {
  const answer = await request(app)
    .get('/v1/status')
    .set({ Authorization: `Bearer ${OPERATOR_TOKEN}` });
  return (answer.body as { tenants: { backlog: unknown }[] }).tenants[0]?.backlog;
}

test('92 % of the bytes · are full for all but failed runs · which have the rest', async () => {
  const full = await start({ MAX_BACKLOG_BYTES: String(LIMIT) });
  expect(await readBacklog(full)).toEqual({ accepts: 'all', detail: 'has room' });
  expect((await submit(full, 'known')).status).toBe(202);
  await fillTo(full, 0.92, 'failures');
  expect((await submit(full, 'refused')).body).toMatchObject({
    code: 'backlog-full',
    detail: 'the last room is kept for failed runs (fail, scriptError); send it again later',
  });
  const of = (name: string, members: Record<string, unknown>) =>
    submit(full, name, members).then(({ status }) => status);
  expect({
    fail: await of('a', { state: 'fail', exitCode: 0 }),
    scriptError: await of('b', { state: 'scriptError' }),
    'exit code 5': await of('c', { exitCode: 5 }),
    'exit code 0': await of('d', { exitCode: 0 }),
    'success, exit code 5': await of('e', { state: 'success', exitCode: 5 }),
    pending: await of('f', { state: 'pending' }),
    known: await of('known', {}),
  }).toEqual({
    fail: 202,
    scriptError: 202,
    'exit code 5': 202,
    'exit code 0': 429,
    'success, exit code 5': 429,
    pending: 429,
    known: 200,
  });
  const limit = /^0\.88 MiB wait, and MAX_BACKLOG_BYTES are 0\.95 MiB; /;
  await expectReady(full, 'degraded', expect.stringMatching(limit));
  await expectReady(full, 'degraded', expect.stringContaining(`; ${KEPT} until there is room`));
  expect(await readBacklog(full)).toEqual({ accepts: 'failures', detail: expect.stringContaining(KEPT) as string });

  await fillTo(full, 1, 'none');
  expectProblem(await submit(full, 'too-late', { state: 'fail' }), backlogFull(60));
  expect(await of('g', {})).toBe(429);
  expect(await readBacklog(full)).toMatchObject({ accepts: 'none' });

  await fillTo(full, 0.87, 'failures');
  expect([await of('h', { state: 'fail' }), await of('i', {})]).toEqual([202, 429]);
  await fillTo(full, 0.85, 'all');
  expect(await of('i', {})).toBe(202);
  await expectReady(full, 'ok', 'has room');
});

test('a batch at 92 % of the bytes · is answered entry by entry · as each run ended', async () => {
  const full = await start({ MAX_BACKLOG_BYTES: String(LIMIT) });
  await fillTo(full, 0.92, 'failures');
  const post = (states: string[]) => {
    const body = JSON.stringify(states.map((state, n) => runResult({ runId: `entry-${n}-${state}`, state })));
    const signed = sign({ body, path: '/v1/run-results/batch', createdS: Math.floor(now / 1000) });
    const headers = { 'Content-Type': 'application/json', ...signed };
    return request(full.app).post('/v1/run-results/batch').set(headers).send(body);
  };
  const mixed = await post(['success', 'fail', 'pending', 'scriptError']);
  expect(mixed.status).toBe(200);
  expect(mixed.body).toMatchObject([
    { status: 429, code: 'backlog-full' },
    { status: 'queued' },
    { status: 429, code: 'backlog-full' },
    { status: 'queued' },
  ]);
  expect(mixed.headers['retry-after']).toBe('60');
  const refused = await post(['success', 'pending']);
  expect(refused).toMatchObject({ status: 429, body: { code: 'backlog-full' } });
});

test('a crowd of both at once · fills nine tenths with whatever it is · and the rest with failed runs alone', async () => {
  const full = await start({ MAX_BACKLOG_BYTES: String(LIMIT) });
  const output = 'x'.repeat(20_000);
  const crowd = (state: string) =>
    Promise.all(Array.from({ length: 80 }, (_, n) => submit(full, `${state}-${n}`, { state, output })));
  const [successes, failures] = await Promise.all([crowd('success'), crowd('fail')]);
  const accepted = (answers: Answer[]) => answers.filter(({ status }) => status === 202).length;
  expect(new Set([...successes, ...failures].map(({ status }) => status))).toEqual(new Set([202, 429]));
  const bytesEach = Number(await redis.client.hget(COUNTS, 'bytes')) / (accepted(successes) + accepted(failures));
  expect(accepted(successes) * bytesEach).toBeLessThan(0.9 * LIMIT + bytesEach);
  const filled = await fill(full, { name: 'rest', output });
  const bytes = Number(await redis.client.hget(COUNTS, 'bytes'));
  expect(bytes).toBeGreaterThanOrEqual(LIMIT);
  expect(bytes).toBeLessThan(LIMIT + bytesEach);
  expect(filled).toBeGreaterThan(0);
});
