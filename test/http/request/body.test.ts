// Reading a body over raw sockets: every byte of it however it comes, and once; what cannot be read is refused, or left to others.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type IncomingMessage } from 'node:http';
import express from 'express';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { expectBody, readBody } from '../../../src/http/request/body.ts';
import { openContext } from '../../../src/http/request/context.ts';
import { createErrorHandler } from '../../../src/http/response/problem.ts';
import { exchange, openSocket, readAll } from '../../support/raw-http.ts';
import { until } from '../../support/until.ts';
import { fc } from '../../support/properties.ts';

const LIMIT = 1000;

const read = vi.fn<(body: unknown) => void>();
const failed = vi.fn<(error: Error) => void>();
const defect = vi.fn<(error: unknown) => void>();
/** Holds back what is answered. */
let answering = Promise.resolve();

const app = express();
app.use((_req, res, next) => {
  openContext(res, 'r');
  next();
});
const EXPECTED = { types: ['application/json'], codings: [], limit: LIMIT, hint: 'send JSON' };
app.post('/', expectBody(EXPECTED), readBody(LIMIT), async (req, res) => {
  read(req.body);
  await answering;
  res.json((req.body as Buffer).toString('base64'));
});
app.use(((error: Error, _req, _res, next) => {
  failed(error);
  next(error);
}) satisfies express.ErrorRequestHandler);
app.use(createErrorHandler(defect));
const server = createServer(app);
let port: number;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
beforeEach(() => {
  vi.clearAllMocks();
  answering = Promise.resolve();
});
afterAll(() => {
  expect(defect).not.toHaveBeenCalled();
  server.closeAllConnections();
  server.close();
});

const PLAIN = 'Content-Type: application/json';
const head = (...fields: string[]) => `POST / HTTP/1.1\r\nHost: h\r\n${fields.join('\r\n')}\r\n\r\n`;
const post = (body: Buffer | string, ...fields: string[]) =>
  exchange(port, Buffer.concat([Buffer.from(head('Connection: close', ...fields)), Buffer.from(body)]));
const codeOf = ({ body }: { body: unknown }) => (body as { code?: string }).code;

const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset=utf-8',
  'Application/JSON; x=y',
] as const;

test('any bytes in any pieces, with a length or in chunks · are read whole · and are the same', async () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.constantFrom(...TYPES), fc.boolean(), async (parts, type, isChunked) => {
      const body = Buffer.concat(parts);
      const length = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
      const socket = await openSocket(port);
      const asked = once(server, 'request') as Promise<[IncomingMessage]>;
      socket.setNoDelay().write(head('Connection: close', `Content-Type: ${type}`, length));
      const [request] = await asked;
      for (const part of parts) {
        const arrived = once(request, 'data');
        const size = Buffer.from(`${part.length.toString(16)}\r\n`);
        socket.write(isChunked ? Buffer.concat([size, part, Buffer.from('\r\n')]) : part);
        await arrived;
      }
      if (isChunked) socket.write('0\r\n\r\n');
      const text = await readAll(socket);
      socket.destroy();
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toBe(body.toString('base64'));
    }),
    { numRuns: 100 },
  );
});

test.each([
  ['as long as it may be', LIMIT, [], 200, undefined],
  ['a byte too long', LIMIT + 1, [], 413, 'too-large'],
  ['empty', 0, [], 200, undefined],
  ['with a coding', 2, ['Content-Encoding: gzip'], 415, 'unsupported-media-type'],
])('a body %s · is read or refused · by its head', async (_what, length, fields, status, code) => {
  const answer = await post('x'.repeat(length), PLAIN, `Content-Length: ${length}`, ...fields);
  expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  expect(read).toHaveBeenCalledTimes(code === undefined ? 1 : 0);
});

test('chunks that come to too much · are refused as too-large', async () => {
  const body = `${(LIMIT + 1).toString(16)}\r\n${'x'.repeat(LIMIT + 1)}\r\n0\r\n\r\n`;
  expect(codeOf(await post(body, PLAIN, 'Transfer-Encoding: chunked'))).toBe('too-large');
  expect(read).not.toHaveBeenCalled();
});

test.each([
  ['another type', ['Content-Type: text/plain', 'Content-Length: 2']],
  ['a type nearly right', ['Content-Type: application/jsonx', 'Content-Length: 2']],
  ['no type', ['Content-Length: 2']],
])('a body of %s · is refused unread · and what follows it is the next request', async (_what, fields) => {
  const next = Buffer.from(head('Connection: close', PLAIN, 'Content-Length: 2') + '[]').toString();
  const socket = await openSocket(port);
  socket.write(`${head(...fields)}{}${next}`);
  const answers = await readAll(socket);
  socket.destroy();
  expect(answers.match(/"unsupported-media-type"|"W10="/g)).toEqual(['"unsupported-media-type"', '"W10="']);
  expect(read).toHaveBeenCalledTimes(1);
});

test('a body without any length · is none · and not what is expected', async () => {
  expect(codeOf(await post('', PLAIN))).toBe('unsupported-media-type');
  expect(read).not.toHaveBeenCalled();
});

test.each(['5', String(LIMIT)])(
  'a sender gone before the end of %s bytes · is refused once · and nothing is read',
  async (length) => {
    const socket = await openSocket(port);
    socket.write(`${head(PLAIN, `Content-Length: ${length}`)}{}`);
    await new Promise((resolve) => server.once('request', resolve));
    socket.destroy();
    await until('the refusal', () => failed.mock.calls.length > 0);
    expect(failed.mock.calls).toEqual([[expect.objectContaining({ message: 'the body ended early' })]]);
    expect(read).not.toHaveBeenCalled();
  },
);

test('a sender gone after the end, before the answer · was read once · and is not refused for it', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  answering = promise.then();
  const closed = new Promise((done) => server.once('request', (_req, res) => res.once('close', () => done(undefined))));
  const socket = await openSocket(port);
  socket.write(`${head(PLAIN, 'Content-Length: 2')}{}`);
  await until('the body', () => read.mock.calls.length > 0);
  socket.destroy();
  await closed;
  resolve(undefined);
  await answering;
  expect(read).toHaveBeenCalledTimes(1);
  expect(failed).not.toHaveBeenCalled();
});
