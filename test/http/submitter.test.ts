// Finding out who submits may take a while: whoever is gone by then is not waited for, and takes no place.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Callers } from '../../src/http/identity/callers.ts';
import { identifySubmitter } from '../../src/http/submitter.ts';
import { openSocket } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const relay = { kind: 'relay', appId: 'relay-1' } as const;
const went = vi.fn<(submitter: unknown) => void>();
let known: PromiseWithResolvers<typeof relay>;

const app = express();
const identify = (() => known.promise) as unknown as Callers['identify'];
app.post('/', identifySubmitter({ identify } as Callers), (_req, res) => {
  went(res.locals['submitter']);
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

test('a sender that waits · goes on · as who it is', async () => {
  const { socket } = await begin();
  known.resolve(relay);
  await until('it went on', () => went.mock.calls.length > 0);
  expect(went.mock.calls).toEqual([[relay]]);
  socket.destroy();
});

test('a sender gone meanwhile · does not go on · once it is known', async () => {
  const { socket, res } = await begin();
  const closed = once(res, 'close');
  socket.destroy();
  await closed;
  known.resolve(relay);
  await new Promise(setImmediate);
  expect(went).not.toHaveBeenCalled();
});
