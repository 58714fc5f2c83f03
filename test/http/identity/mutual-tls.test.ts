// The service's own TLS: a client certificate is a device's proof, none is none, and new files take over while it listens.
import { once } from 'node:events';
import { cp, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTlsMaterial } from '../../../src/sandbox/server/certificates.ts';
import { startListeningApp, type ListeningApp } from '../../support/app.ts';
import { createAuthority, USAGES, type Authority, type Made } from '../../support/certificates.ts';
import { DEVICE_ID, runResult, sign } from '../../support/device.ts';
import { startProcess } from '../../support/process.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const BODY = JSON.stringify(runResult());
const DAY_MS = 86_400_000;

let redis: TestRedis;
let world: ListeningApp;
let directory: string;
let ca: string;
let root: Authority;
let device: Made;
let env: Record<string, string>;
const file = (name: string) => join(directory, name);

beforeAll(async () => {
  redis = await startTestRedis();
  directory = await mkdtemp(join(tmpdir(), 'runstate-tls-'));
  const material = await createTlsMaterial(file('own'), ['localhost', '127.0.0.1']);
  ca = material.caPem;
  root = await createAuthority();
  device = await root.issue();
  await writeFile(file('cert.pem'), material.certificatePem);
  await writeFile(file('key.pem'), material.privateKeyPem);
  await writeFile(file('devices.pem'), root.pem);
  env = { TLS_CERT_FILE: file('cert.pem'), TLS_KEY_FILE: file('key.pem'), DEVICE_CA_FILE: file('devices.pem') };
  world = await startListeningApp(redis, { env: { ...env, TRUSTED_PROXIES: '10.0.0.1' } });
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  await world.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});

type Answered = { status: number; body: unknown };
type Client = { client?: Made | null; headers?: Record<string, string>; agent?: Agent; body?: string };

/** One request over TLS, on a connection of its own where there is no agent. */
async function submit({ client = null, headers = {}, agent, body = BODY }: Client = {}): Promise<Answered> {
  const outgoing = request({
    host: '127.0.0.1',
    port: world.port,
    method: 'POST',
    path: '/v1/run-results',
    agent: agent ?? false,
    ca,
    ...(client && { cert: client.pem, key: client.keyPem }),
    headers: { 'Content-Type': 'application/json', ...headers },
  });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return { status: incoming.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown };
}

async function expectUnknown(client: Client, reason: string | RegExp): Promise<void> {
  const answer = await submit(client);
  expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  const line = await world.told((answer.body as { requestId: string }).requestId);
  expect(line).toMatchObject({ deviceId: null, reason: expect.stringMatching(reason) as string });
  expect(await redis.countStored()).toBe(0);
}

const NOT_VERIFIED = /^the client certificate was not verified: /;

test('a client certificate of ours · is the device · and stores what it submits', async () => {
  expect(await submit({ client: device })).toMatchObject({ status: 202, body: { runId: 'run-1' } });
});

test('no client certificate · is no obstacle · a signature is still accepted', async () => {
  expect((await submit({ headers: sign({ body: BODY }) })).status).toBe(202);
  await redis.client.flushall();
  await expectUnknown({}, /^a signature header is missing/);
});

test('a certificate of another device · speaks for that one alone · and is refused as wrong-device', async () => {
  const other = await root.issue({ subject: 'CN=BER-LAT-0002' });
  expect(await submit({ client: other })).toMatchObject({ status: 403, body: { code: 'wrong-device' } });
});

test('a certificate with its chain · leads over an issuing authority · as the handshake brings it', async () => {
  const issuing = await root.below();
  const made = await issuing.issue();
  expect((await submit({ client: { ...made, pem: made.pem + issuing.pem } })).status).toBe(202);
  await redis.client.flushall();
  await expectUnknown({ client: made }, NOT_VERIFIED);
});

test.each<[string, () => Promise<Made>, RegExp]>([
  ['of a stranger', async () => (await createAuthority()).issue(), NOT_VERIFIED],
  ['that signed itself', async () => createAuthority({ isAuthority: false, usages: USAGES.sign }), NOT_VERIFIED],
  [
    'that is over',
    async () => root.issue({ notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - 1000) }),
    NOT_VERIFIED,
  ],
  ['for servers', async () => root.issue({ purposes: ['1.3.6.1.5.5.7.3.1'] }), NOT_VERIFIED],
  ['for no device', async () => root.issue({ subject: 'O=Contoso' }), /^the certificate does not name/],
])('a certificate %s · is not accepted · and a signature still is', async (_what, make, reason) => {
  const client = await make();
  await expectUnknown({ client }, reason);
  expect((await submit({ client, headers: sign({ body: BODY }) })).status).toBe(202);
});

test('a certificate header · from a caller that is no proxy · never matters, whatever the connection', async () => {
  const forged = { 'Client-Cert': `:${device.der.toString('base64')}:` };
  await expectUnknown({ headers: forged }, /^a signature header is missing/);
  const other = await root.issue({ subject: 'CN=BER-LAT-0002' });
  expect(await submit({ client: other, headers: forged })).toMatchObject({ status: 403 });
});

test('a session · is not resumed · each connection authenticates again', async () => {
  const sessions: Buffer[] = [];
  const options = { host: '127.0.0.1', port: world.port, ca, cert: device.pem, key: device.keyPem };
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket: TLSSocket = connect({ ...options, maxVersion });
    socket.on('session', (session: Buffer) => sessions.push(session));
    await once(socket, 'secureConnect');
    socket.end('GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    const again = connect({ ...options, maxVersion, ...(sessions.length > 0 && { session: sessions.at(-1) }) });
    await once(again, 'secureConnect');
    expect(again.isSessionReused()).toBe(false);
    again.destroy();
  }
});

test('plain HTTP, and TLS older than 1.2 · are disconnected · and the next caller is served', async () => {
  const plain = fetch(`http://127.0.0.1:${world.port}/livez`);
  await expect(plain).rejects.toThrow();
  const old = connect({ host: '127.0.0.1', port: world.port, ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
  await expect(once(old, 'secureConnect')).rejects.toThrow();
  expect((await submit({ client: device })).status).toBe(202);
});

/** The serial number of the certificate the listener shows to a new connection. */
async function shown(): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: world.port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

const logged = (msg: RegExp) => world.lines.filter((line) => msg.test(line.msg));

test('a new certificate and key · are shown to new connections · without a restart', async () => {
  const before = await shown();
  const renewed = await createTlsMaterial(file('own'), ['localhost', '127.0.0.1']);
  // First one, then the other: what is in between does not fit together and is not used.
  await writeFile(file('cert.pem'), renewed.certificatePem);
  await writeFile(file('key.pem'), renewed.privateKeyPem);
  await until('another certificate', async () => (await shown()) !== before);
  expect(logged(/^certificates read again/)).toMatchObject([{ paths: [file('cert.pem'), file('key.pem')] }]);
  expect((await submit({ client: device })).status).toBe(202);
});

test('a new certificate that cannot be used · leaves the old one in use · and is reported once', async () => {
  const before = await shown();
  await cp(file('cert.pem'), file('cert.good'));
  await writeFile(file('cert.pem'), 'no certificate');
  await until('word of it', () => logged(/cannot be used/).length > 0);
  expect(await shown()).toBe(before);
  expect((await submit({ client: device })).status).toBe(202);

  await utimes(file('cert.pem'), new Date(1e12), new Date(1e12));
  await cp(file('cert.good'), file('cert.pem'));
  await until('the good one', () => logged(/^certificates read again/).length > 1);
  expect(logged(/cannot be used/).length).toBeLessThanOrEqual(2);
});

test('another authority of devices · is trusted from then on · and the former one no more', async () => {
  const next = await createAuthority({ subject: 'CN=Next' });
  const renewed = await next.issue();
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca, cert: device.pem, key: device.keyPem });
  expect((await submit({ agent })).status).toBe(202);

  await writeFile(file('devices.pem'), next.pem);
  await until('the next authority', async () => (await submit({ client: renewed })).status === 200);
  // Neither a new connection nor the one that is still open.
  expect((await submit({ client: device })).status).toBe(401);
  expect((await submit({ agent })).status).toBe(401);

  await writeFile(file('devices.pem'), 'nothing');
  await until('word of it', () => logged(/cannot be used/).some(({ paths }) => String(paths).includes('devices')));
  expect((await submit({ client: renewed })).status).toBe(200);
  agent.destroy();
});

test.each<[string, string, () => Promise<Record<string, string>>]>([
  [
    'a certificate file that is not there',
    'TLS_CERT_FILE',
    () => Promise.resolve({ ...env, TLS_CERT_FILE: file('none.pem') }),
  ],
  [
    'another certificate’s key',
    'TLS_KEY_FILE',
    async () => {
      await writeFile(file('other-key.pem'), (await root.issue()).keyPem);
      return { ...env, TLS_KEY_FILE: file('other-key.pem') };
    },
  ],
  [
    'authorities that are none',
    'DEVICE_CA_FILE',
    async () => {
      await writeFile(file('leaf.pem'), device.pem);
      return { ...env, DEVICE_CA_FILE: file('leaf.pem') };
    },
  ],
])('%s · keeps the API from starting · and says which variable', async (_what, variable, wrong) => {
  const given = await wrong();
  const api = startProcess('src/main.ts', { HOST: '127.0.0.1', PORT: '0', REDIS_URL: redis.url, ...given });
  const { faults } = await api.line('the configuration is not usable');
  expect(faults).toContainEqual(expect.stringMatching(new RegExp(`^${variable} `)));
  expect(await api.ended).toBe(78);
});

test('the device of a certificate · is in the log · and the certificate is not', async () => {
  const made = await root.issue();
  await writeFile(file('devices.pem'), root.pem);
  await until('the first authority again', async () => (await submit({ client: made })).status !== 401);
  expect(world.lines.some(({ deviceId }) => deviceId === DEVICE_ID)).toBe(true);
  expect(JSON.stringify(world.lines)).not.toContain(made.der.toString('base64').slice(0, 60));
});
