// An answer in JSON over real HTTP: the bytes are the value's, the length is theirs, and nothing is added.
import express from 'express';
import request from 'supertest';
import { expect, test } from 'vitest';
import { answerJson } from '../../../src/http/response/json-response.ts';
import { fc } from '../../support/properties.ts';

let given: { status: number; body: unknown };
const app = express();
app.disable('x-powered-by');
app.all('/', (_req, res) => {
  res.setHeader('X-Mine', 'kept');
  answerJson(res, given.status, given.body);
});

test('any value under any status · arrives as it is · with the length of its bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), fc.constantFrom(200, 202, 422, 503), async (body, status) => {
      given = { status, body };
      const answer = await request(app).get('/').buffer(true);
      expect([answer.status, answer.text]).toEqual([status, JSON.stringify(body)]);
      expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(JSON.stringify(body))));
    }),
    { numRuns: 60 },
  );
});

test('its header fields · are type and length and those of the route · and none of Express’s', async () => {
  given = { status: 200, body: { name: 'Bürgermeister 😀' } };
  // Express would answer this with 304 and an entity tag, or look for a better type.
  const answer = await request(app).get('/').set({ 'If-None-Match': '*', Accept: 'text/html' });
  expect([answer.status, answer.body]).toEqual([200, given.body]);
  expect(answer.headers).toEqual({
    'content-type': 'application/json; charset=utf-8',
    'content-length': '30',
    'x-mine': 'kept',
    connection: 'close',
    date: expect.any(String) as string,
  });
});

test('an answer to HEAD · has the length · and no body', async () => {
  given = { status: 200, body: [1, 2, 3] };
  const { headers, text } = await request(app).head('/');
  expect([headers['content-length'], text]).toEqual(['7', undefined]);
});
