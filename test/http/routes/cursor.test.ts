// The cursor of the dead letters' list: only one of the list's own goes on from somewhere, any other is refused.
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toCursor } from '../../../src/domain/operations/dead-letter-position.ts';
import { expectProblem } from '../../support/answer.ts';
import { OPERATOR_TOKEN, startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

let redis: TestRedis;
let world: TestApp;

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis);
  await untilConnected(world);
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

const list = (cursor: string) =>
  request(world.app).get('/v1/dead-letters').query({ cursor }).set('Authorization', `Bearer ${OPERATOR_TOKEN}`);

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a cursor of the list’s own · goes on from its place · though nothing is there any more', async () => {
  const answer = await list(toCursor({ diedAt: 1_790_000_000_000, id: 'd1' }));
  expect(answer).toMatchObject({ status: 200, body: { deadLetters: [], nextCursor: null } });
});

test.each([
  ['empty', ''],
  ['text', 'second-page'],
  ['no base64', '%%%'],
  ['another place', encode({ diedAt: 1, id: 'd1' })],
  ['too little of one', encode([1])],
  ['too much of one', encode([1, 'd1', 2])],
  ['no instant', encode(['1', 'd1'])],
  ['no instant Redis knows', Buffer.from('[1e999,"d1"]').toString('base64url')],
  ['no id', encode([1, null])],
])('a cursor that is %s · is refused as invalid-request · not taken for the beginning', async (_what, cursor) => {
  expectProblem(await list(cursor), {
    status: 422,
    code: 'invalid-request',
    title: 'The request has faults',
    detail: 'see errors',
    errors: [{ pointer: '/cursor', detail: 'is no nextCursor of this list' }],
  });
});
