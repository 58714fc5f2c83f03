// Where the operator's commands find a bridge's routes, and what they say when there is none.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { operate, routeOf } from '../../../src/cli/operator/operator.ts';
import { statusSchema } from '../../../src/http/response/response-schemas.ts';

test.each([
  ['http://localhost:8080', 'http://localhost:8080/v1/status?limit=5'],
  ['http://localhost:8080/', 'http://localhost:8080/v1/status?limit=5'],
  ['https://host/prefix', 'https://host/prefix/v1/status?limit=5'],
  ['https://host/a/b//', 'https://host/a/b/v1/status?limit=5'],
  ['https://host:8443/prefix/?ignored=1', 'https://host:8443/prefix/v1/status?limit=5'],
])('a bridge at %s · is asked below its path', (base, expected) => {
  expect(routeOf(base, '/v1/status?limit=5').href).toBe(expected);
});

test('a bridge behind a prefix · is called there · with the token', async () => {
  vi.stubEnv('OPERATOR_TOKEN', 'a-token');
  const calls: unknown[] = [];
  const server = createServer((request, response) => {
    calls.push([request.method, request.url, request.headers.authorization]);
    response.setHeader('Content-Type', 'application/json').end('{"tenants":[],"durability":"always"}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bridge`;
  expect(await operate({ url }, '/v1/status', { schema: statusSchema })).toEqual({ tenants: [], durability: 'always' });
  expect(calls).toEqual([['GET', '/bridge/v1/status', 'Bearer a-token']]);
  server.close();
  server.closeAllConnections();
});

test('nobody there · says why, not only that it failed · exit 75', async () => {
  vi.stubEnv('OPERATOR_TOKEN', 'a-token');
  await expect(operate({ url: 'http://127.0.0.1:1' }, '/v1/status', { schema: statusSchema })).rejects.toMatchObject({
    message: expect.stringMatching(
      /^http:\/\/127\.0\.0\.1:1 is not reachable: (connect ECONNREFUSED|bad port)/,
    ) as string,
    exitCode: 75,
  });
});
