// What a request may be at most: the length of its address, the number of its header fields, the depth and width of its JSON.
import request from 'supertest';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectProblem, type Answer } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startListeningApp, type ListeningApp } from '../../support/app.ts';
import { runResult } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { submitTo } from '../../support/submit.ts';

let redis: TestRedis;
let world: ListeningApp;
let port: number;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startListeningApp(redis);
  ({ port } = world);
});
afterEach(async () => {
  await redis.client.flushall();
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

const submit = (body: string, headers: Record<string, string> = {}): Promise<Answer> => submitTo(port, body, headers);

const BODY = JSON.stringify(runResult());
const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`X-${n}`, 'x']));
/** Those of a submission itself, and what the sender adds. */
const OWN_FIELDS = ['Content-Type', 'Content-Digest', 'Signature-Input', 'Signature', 'Host', 'Connection', 'Length'];

test('a hundred header fields · are read · and one more is refused as headers-too-large', async () => {
  expect((await submit(BODY, fields(100 - OWN_FIELDS.length))).status).toBe(202);
  await redis.client.flushall();
  const answer = await submit(BODY, fields(101 - OWN_FIELDS.length));
  const requestId = expectProblem(answer, {
    status: 431,
    code: 'headers-too-large',
    title: 'The header fields are too large or too many',
    detail: 'send at most 100 header fields',
  });
  expect(await redis.countStored()).toBe(0);
  expect(await world.told(requestId)).toMatchObject({ msg: 'request', status: 431, code: 'headers-too-large' });
});

test('an address of 8192 characters · is looked up · and a longer one is refused as url-too-long', async () => {
  const path = (length: number) => `/v1/dead-letters?code=x&${'y'.repeat(length - 24)}`;
  const authorized = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
  expect((await request(world.app).get(path(8192)).set(authorized)).status).toBe(422);
  const requestId = expectProblem(await request(world.app).get(path(8193)).set(authorized), {
    status: 414,
    code: 'url-too-long',
    title: 'The address is too long',
    detail: 'an address has at most 8192 characters',
  });
  expect(await world.told(requestId)).toMatchObject({ msg: 'request', status: 414, code: 'url-too-long' });
});

const whole = JSON.stringify(runResult()).slice(0, -1);
/** A run result with something in it that is so deep, itself included. */
const deep = (levels: number) => `${whole},"deep":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
const wide = (members: number) =>
  `${whole},"wide":${JSON.stringify(Array.from({ length: members - Object.keys(runResult()).length - 1 }, () => ({})))}}`;

test.each([
  ['32 levels deep', deep(32)],
  ['1000 members wide', wide(1000)],
])('JSON that is %s where nobody looks · is accepted · as the run result it is', async (_what, body) => {
  expect(await submit(body)).toMatchObject({ status: 202, body: { runId: 'run-1', status: 'queued' } });
});

test.each([
  ['deeper than 32 levels', deep(33), 'must not be nested deeper than 32 levels'],
  ['100,000 levels deep', deep(100_000), 'must not be nested deeper than 32 levels'],
  ['wider than 1000 members', wide(1001), 'must not have more than 1000 members and items in all'],
  ['nothing but an array', `[${'0,'.repeat(100_000)}0]`, 'must not have more than 1000 members and items in all'],
])('JSON that is %s · is refused as invalid-run-result · and nothing is stored', async (_what, body, detail) => {
  const before = await world.counted('invalid-run-result');
  const requestId = expectProblem(await submit(body), {
    status: 422,
    code: 'invalid-run-result',
    title: 'The run result has faults',
    detail: '1 fault; see errors',
    errors: [{ pointer: '', detail }],
  });
  expect(await redis.countStored()).toBe(0);
  expect(await world.told(requestId)).toMatchObject({ msg: 'submission', outcome: 'refused', status: 422 });
  expect(await world.counted('invalid-run-result')).toBe(before + 1);
});
