// Finding out who submits may take a while: whoever is gone by then takes no place, and is not waited for.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Callers } from '../../../src/http/identity/callers.ts';
import { contextOf, openContext } from '../../../src/http/request/context.ts';
import { limitInFlight } from '../../../src/http/request/in-flight.ts';
import { identifySubmitter } from '../../../src/http/request/submitter.ts';
import { openSocket } from '../../support/raw-http.ts';

const relay = { kind: 'relay', appId: 'relay-1' } as const;
const went = vi.fn<(submitter: unknown) => void>();
let known: PromiseWithResolvers<typeof relay>;

const app = express();
const identify = (() => known.promise) as unknown as Callers['identify'];
const onePlace = limitInFlight({ maxRequestsInFlight: 1, verifyOperator: null, random: () => 0 });
app.use((_req, res, next) => {
  openContext(res, 'r');
  next();
});
app.post('/', identifySubmitter({ identify } as Callers), onePlace, (_req, res) => {
  went(contextOf(res).caller);
  res.end();
});
const server = createServer(app);

beforeEach(async () => {
  known = Promise.withResolvers();
  went.mockClear();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Half a request, from a sender that stays or goes. */
async function begin() {
  const socket = await openSocket((server.address() as AddressInfo).port);
  const asked = once(server, 'request') as Promise<[unknown, ServerResponse]>;
  socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n');
  const [, res] = await asked;
  return { socket, res };
}

test('a sender gone meanwhile · takes no place once it is known · the next one has it, as who it is', async () => {
  const { socket, res } = await begin();
  const closed = once(res, 'close');
  socket.destroy();
  await closed;
  const next = await begin();
  known.resolve(relay);
  const [answer] = (await once(next.socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  expect(went.mock.calls).toEqual([[relay]]);
  next.socket.destroy();
});
