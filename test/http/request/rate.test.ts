// 429 too-fast: each device its rate, over all API processes together; nobody uses up another's, and Redis is rarely asked.
import request from 'supertest';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem, type Answer, type Problem } from '../../support/answer.ts';
import { startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { DEVICE_ID, runResult, sign } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const PER_MIN = 8;
/** A quarter of it is counted by each process for itself. */
const UNTOLD = 2;
const MINUTE_MS = 60_000;
const OTHER_DEVICE = 'BER-LAT-0002';

let redis: TestRedis;
let worlds: TestApp[];
let now: number;
let chance: number;
let runs: number;

const startOne = async (env: Record<string, string> = {}) => {
  const world = await startTestApp(redis, {
    env: { DEVICE_RATE_PER_MIN: String(PER_MIN), ...env },
    clock: () => now,
    random: () => chance,
  });
  await untilConnected(world);
  worlds.push(world);
  return world;
};

beforeEach(async () => {
  [now, chance, runs, worlds] = [Date.now(), 0.5, 0, []];
  redis = await startTestRedis();
});
afterEach(async () => {
  redis.signal('SIGCONT');
  await Promise.all(worlds.map((world) => world.close()));
  await redis.close();
});

type Submission = { deviceId?: string; body?: string; groupKey?: string };

function submit({ app }: TestApp, { deviceId = DEVICE_ID, body, groupKey }: Submission = {}): Promise<Answer> {
  const text = body ?? JSON.stringify(runResult({ deviceId, runId: `run-${runs++}` }));
  const signing = sign({ body: text, deviceId, createdS: Math.floor(now / 1000), ...(groupKey && { groupKey }) });
  const headers = { 'Content-Type': 'application/json', ...signing };
  return Promise.resolve(request(app).post('/v1/run-results').set(headers).send(text));
}

const statuses = (answers: Answer[]) => answers.map(({ status }) => status);
const rateKeys = () => redis.client.keys('*:rate:*');

/** When a device's window ends, as its first answer tells. */
const resetS = ({ headers }: Answer) => Number(/;t=(\d+)$/.exec(String(headers['ratelimit']))?.[1]);

const tooFast = (reset: number, retryAfter: number): Problem => ({
  status: 429,
  code: 'too-fast',
  title: 'This device submits too fast; nothing is stored',
  detail: 'this device submitted as much as it may for now; send it again later',
  headers: {
    'retry-after': String(retryAfter),
    ratelimit: `"device";r=0;t=${reset}`,
    'ratelimit-policy': `"device";q=${PER_MIN};w=60`,
  },
});

/** Submits as much as a device may. @returns the seconds until its next window */
async function useUp(world: TestApp): Promise<number> {
  // In the first second of a window, so that no test runs into its end.
  const reset = resetS(await submit(world));
  for (let taken = 1; taken < PER_MIN; taken += 1) expect((await submit(world)).status).toBe(202);
  return reset;
}

test('a device · learns its rate and what is left of it · with every answer to a submission', async () => {
  const world = await startOne();
  const first = await submit(world);
  const reset = resetS(first);
  expect(reset).toBeGreaterThan(0);
  expect(reset).toBeLessThanOrEqual(60);
  for (const left of [6, 5, 4]) {
    const { headers } = await submit(world);
    expect(headers).toMatchObject({
      ratelimit: `"device";r=${left};t=${reset}`,
      'ratelimit-policy': '"device";q=8;w=60',
    });
  }
  const invalid = await submit(world, { body: '{}' });
  expect(invalid).toMatchObject({ status: 422, headers: { ratelimit: `"device";r=3;t=${reset}` } });
});

test('one submission too many · is refused as too-fast · reported, counted and not stored', async () => {
  const world = await startOne();
  const reset = await useUp(world);
  const accepted = await redis.client.hget('runstate:{default}:counts', 'queued');
  const before = await world.counted('too-fast');

  const requestId = expectProblem(await submit(world), tooFast(reset, reset + 5));
  expect(await world.told(requestId)).toMatchObject({
    msg: 'submission',
    status: 429,
    outcome: 'refused',
    code: 'too-fast',
    deviceId: DEVICE_ID,
  });
  expect(await world.counted('too-fast')).toBe(before + 1);
  expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe(accepted);
  expect(accepted).toBe(String(PER_MIN));
});

test.each([
  [0, 0],
  [0.999, 10],
])('Retry-After · is the next window and a random part · and a chance of %d adds %d s', async (random, added) => {
  const world = await startOne();
  const reset = await useUp(world);
  chance = random;
  const retryAfter = Number((await submit(world)).headers['retry-after']);
  expect(Math.abs(retryAfter - reset - added)).toBeLessThanOrEqual(1);
});

test('the next window · takes as much again · and only the next', async () => {
  const world = await startOne();
  const reset = await useUp(world);
  now += (reset - 1) * 1000;
  expect((await submit(world)).status).toBe(429);
  now += 1000;
  await useUp(world);
  expect((await submit(world)).status).toBe(429);
});

test('two processes · share one count · whichever of them a device happens to reach', async () => {
  const [one, other] = [await startOne(), await startOne()];
  const answers: Answer[] = [];
  for (let sent = 0; sent < PER_MIN + 4; sent += 1) answers.push(await submit(sent % 2 === 0 ? one : other));
  expect(statuses(answers)).toEqual([...Array<number>(PER_MIN).fill(202), ...Array<number>(4).fill(429)]);
});

test.each([
  ['one process', 1],
  ['two processes', 2],
])(
  'a crowd from one device at once on %s · gets in as often as its rate · but for what is untold',
  async (_what, many) => {
    const some = await Promise.all(Array.from({ length: many }, () => startOne()));
    const crowd = Array.from({ length: 40 }, (_, n) => submit(some[n % many] as TestApp));
    const answered = statuses(await Promise.all(crowd));
    const accepted = answered.filter((status) => status === 202).length;
    expect(accepted, answered.join()).toBeGreaterThanOrEqual(PER_MIN);
    expect(accepted).toBeLessThanOrEqual(PER_MIN + (many - 1) * UNTOLD);
  },
);

test('a device that is too fast · leaves another its rate · untouched', async () => {
  const world = await startOne();
  await useUp(world);
  expect((await submit(world)).status).toBe(429);
  const other = await submit(world, { deviceId: OTHER_DEVICE });
  expect(other).toMatchObject({ status: 202, headers: { 'ratelimit-policy': '"device";q=8;w=60' } });
  expect(String(other.headers['ratelimit'])).toMatch(/^"device";r=7;/);
});

test('a caller without the device’s key · learns nothing about its rate · and uses none of it', async () => {
  const world = await startOne();
  const groupKey = Buffer.alloc(32, 9).toString('base64');
  const strangers = await Promise.all(Array.from({ length: 3 * PER_MIN }, () => submit(world, { groupKey })));
  expect(new Set(statuses(strangers))).toEqual(new Set([401]));
  expect(strangers[0]?.headers).not.toHaveProperty('ratelimit');
  await useUp(world);
});

test('a device far below its rate · is not counted in Redis · and one that comes near is, for two minutes', async () => {
  const world = await startOne();
  for (let sent = 0; sent < UNTOLD; sent += 1) await submit(world);
  expect(await rateKeys()).toEqual([]);
  await submit(world);
  const [key = '', ...others] = await rateKeys();
  expect(others).toEqual([]);
  expect(key.startsWith(`runstate:{default}:rate:${DEVICE_ID}:`)).toBe(true);
  expect(await redis.client.get(key)).toBe(String(UNTOLD + 1));
  expect(await redis.client.pttl(key)).toBeGreaterThan(MINUTE_MS);
});

test('a device that is refused anyway · is refused without Redis · however it hammers', async () => {
  const world = await startOne();
  await useUp(world);
  expect((await submit(world)).status).toBe(429);
  const scripts = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1]);
  const before = await scripts();
  for (let sent = 0; sent < 50; sent += 1) await submit(world);
  expect((await scripts()) - before).toBe(0);
});

test('Redis away · is a 503 for callers that have to be counted there · and costs the device nothing', async () => {
  const world = await startOne();
  for (let sent = 0; sent < UNTOLD; sent += 1) await submit(world);
  await redis.kill();
  for (let sent = 0; sent < 2 * PER_MIN; sent += 1) {
    expect(await submit(world)).toMatchObject({ status: 503, body: { code: 'queue-unavailable' } });
  }
  await redis.start();
  await untilConnected(world);
  for (let taken = UNTOLD; taken < PER_MIN; taken += 1) expect((await submit(world)).status).toBe(202);
  expect((await submit(world)).status).toBe(429);
});

test('Redis hung · is a 503 within 2 s · counting included', async () => {
  const world = await startOne();
  for (let sent = 0; sent < UNTOLD; sent += 1) await submit(world);
  redis.signal('SIGSTOP');
  const startedAt = performance.now();
  expect(await submit(world)).toMatchObject({ status: 503, body: { code: 'queue-unavailable' } });
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

test('a batch · counts as much as it holds · and fits where one would', async () => {
  const world = await startOne();
  const batch = (size: number) => {
    const body = JSON.stringify(Array.from({ length: size }, () => runResult({ runId: `run-${runs++}` })));
    const path = '/v1/run-results/batch';
    const signing = sign({ body, path, createdS: Math.floor(now / 1000) });
    return request(world.app)
      .post(path)
      .set({ 'Content-Type': 'application/json', ...signing })
      .send(body);
  };
  const first = await batch(PER_MIN - 1);
  expect([first.status, first.headers['ratelimit']]).toEqual([200, expect.stringMatching(/;r=1;/)]);
  expect((await batch(PER_MIN * 3)).status).toBe(200);
  expect(await batch(1)).toMatchObject({ status: 429, body: { code: 'too-fast' } });
  expect((await submit(world)).status).toBe(429);
  now += MINUTE_MS;
  expect((await batch(PER_MIN * 3)).status).toBe(200);
  expect((await submit(world)).status).toBe(429);
});

test('DEVICE_RATE_PER_MIN=0 · lets a device submit as fast as it likes · and tells no rate', async () => {
  const world = await startOne({ DEVICE_RATE_PER_MIN: '0' });
  const answers = await Promise.all(Array.from({ length: 100 }, () => submit(world)));
  expect(new Set(statuses(answers))).toEqual(new Set([202]));
  expect(answers[0]?.headers).not.toHaveProperty('ratelimit');
  expect(answers[0]?.headers).not.toHaveProperty('ratelimit-policy');
});
