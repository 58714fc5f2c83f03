// How a reporter reaches the bridge: through a proxy, and over TLS that a private authority vouches for.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { createReportingDevice, RAN, type ReportingDevice } from '../support/reporter.ts';
import { startTunnelProxy } from '../support/tunnel-proxy.ts';

let root: Authority;
let url: string;
let device: ReportingDevice;
const server = createServer((request, response) => {
  void json(request).then((body) => {
    const { runId } = body as { runId: string };
    response.writeHead(202).end(JSON.stringify({ deliveryId: 'd1', runId, status: 'queued' }));
  });
});

beforeAll(async () => {
  root = await createAuthority();
  const { pem, keyPem } = await root.issue({ purposes: null, names: [{ type: 'dns', value: 'bridge.test' }] });
  server.setSecureContext({ cert: pem, key: keyPem });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `https://bridge.test:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});
beforeEach(() => (device = createReportingDevice()));
afterEach(() => device.close());

test('a proxy with a password and a private authority · carry a result · that is stored', async () => {
  await using proxy = await startTunnelProxy();
  const reporter = await device.reporter(url, { ca: root.pem, proxy: `http://it:secret@127.0.0.1:${proxy.port}` });
  await reporter.add(RAN);
  expect(await reporter.send()).toMatchObject({ left: 0, stored: 1 });
  const password = Buffer.from('it:secret').toString('base64');
  expect(proxy.asked).toEqual([`${new URL(url).host} Basic ${password}`]);
});

test('a server that the authority does not vouch for · gets nothing · and the reason is told', async () => {
  await using proxy = await startTunnelProxy();
  const reporter = await device.reporter(url, { proxy: `http://127.0.0.1:${proxy.port}` });
  await reporter.add(RAN);
  expect(await reporter.send()).toMatchObject({ left: 1, stored: 0 });
  expect(device.events).toMatchObject([{ type: 'kept', reason: expect.stringMatching(/certificate/) as string }]);
});

test('a proxy that refuses · loses nothing', async () => {
  await using proxy = await startTunnelProxy((_request, socket) => socket.end('HTTP/1.1 407 No\r\n\r\n'));
  const reporter = await device.reporter(url, { ca: root.pem, proxy: `http://127.0.0.1:${proxy.port}` });
  await reporter.add(RAN);
  expect(await reporter.send()).toMatchObject({ left: 1, stored: 0 });
});
