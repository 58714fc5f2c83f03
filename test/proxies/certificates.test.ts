// A real proxy ends mutual TLS and passes the caller's certificate on, in each form it can write.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startListeningApp, type ListeningApp } from '../support/app.ts';
import { clientCert, createAuthority, type Authority, type Made } from '../support/certificates.ts';
import { runResult } from '../support/device.ts';
import { PROXIES, startHaproxy, startNginx, titled, type Proxy } from '../support/proxies.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';

const HEADER = 'X-Client-Certificate';
const BODY = JSON.stringify(runResult());

let redis: TestRedis;
let directory: string;
let root: Authority;
let server: Made;
let device: Made;
let stranger: Made;
let world: ListeningApp;

beforeAll(async () => {
  redis = await startTestRedis('--appendfsync', 'no');
  directory = await mkdtemp(join(tmpdir(), 'runstate-mtls-'));
  root = await createAuthority();
  server = await (await createAuthority()).issue({ subject: 'CN=localhost', purposes: null });
  device = await root.issue();
  stranger = await (await createAuthority({ subject: 'CN=Devices Root' })).issue();
  await writeFile(join(directory, 'ca.pem'), root.pem);
  world = await startListeningApp(redis, {
    env: {
      DEVICE_CA_FILE: join(directory, 'ca.pem'),
      TRUSTED_PROXIES: '127.0.0.1',
      CLIENT_CERT_HEADER: HEADER,
    },
  });
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  await world.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});

const files = () => ({ 'server.pem': server.pem + server.keyPem, 'ca.pem': root.pem });

const nginx = () =>
  startNginx(
    (port, at) => `
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${at}/server.pem;
        ssl_certificate_key ${at}/server.pem;
        ssl_client_certificate ${at}/ca.pem;
        ssl_verify_client optional_no_ca;
        location / {
          proxy_pass http://127.0.0.1:${world.port};
          proxy_set_header ${HEADER} $ssl_client_escaped_cert;
        }
      }`,
    files(),
  );

const haproxy = (value: string) => () =>
  startHaproxy(
    (port, at) => `
frontend in
  bind 127.0.0.1:${port} ssl crt ${at}/server.pem ca-file ${at}/ca.pem verify optional crt-ignore-err all ca-ignore-err all
  http-request del-header ${HEADER}
  http-request set-header ${HEADER} "${value}" if { ssl_c_used }
  default_backend bridge
backend bridge
  server api 127.0.0.1:${world.port}`,
    files(),
  );

async function submit(port: number, certificate: Made | null, headers: Record<string, string | string[]> = {}) {
  const sent = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/v1/run-results',
    rejectUnauthorized: false,
    agent: false,
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(BODY), ...headers },
    ...(certificate && { cert: certificate.pem, key: certificate.keyPem }),
  });
  sent.end(BODY);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

describe.each<[keyof typeof PROXIES, string, () => Promise<Proxy>]>([
  ['nginx', 'PEM, escaped', nginx],
  ['haproxy', 'RFC 9440', haproxy(':%[ssl_c_der,base64]:')],
  ['haproxy', 'base64', haproxy('%[ssl_c_der,base64]')],
])('%s · %s', (name, _form, start) => {
  describe.skipIf(!PROXIES[name])(titled(name, 'ends mutual TLS'), () => {
    let proxy: Proxy;
    beforeEach(async () => {
      proxy = await start();
    });
    afterEach(() => proxy.close());

    test('a device with a certificate of ours · is known by it', async () => {
      expect(await submit(proxy.port, device)).toBe(202);
      expect(await submit(proxy.port, device)).toBe(200);
    });

    test('a caller with none, or a stranger’s · is not known · whatever header it sends itself', async () => {
      const forged = [encodeURIComponent(device.pem), clientCert(device), device.der.toString('base64')];
      for (const certificate of [null, stranger]) {
        for (const value of [...forged, forged]) {
          // nginx itself refuses a certificate whose signature is wrong.
          expect([400, 401]).toContain(await submit(proxy.port, certificate, { [HEADER]: value }));
        }
      }
    });

    test('a device’s own certificate · counts · not the other’s whose it brings in a header', async () => {
      const other = await root.issue({ subject: 'CN=BER-LAT-0002' });
      expect(await submit(proxy.port, other, { [HEADER]: encodeURIComponent(device.pem) })).toBe(403);
    });
  });
});
