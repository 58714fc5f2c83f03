// Certificates that a proxy passes on: whose word is taken, which certificates count, and which device they are for.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startListeningApp, type ListeningApp } from '../../support/app.ts';
import {
  clientCert,
  createAuthority,
  extension,
  forwardedClientCert,
  guidBytes,
  USAGES,
  type Asked,
  type Authority,
  type Made,
} from '../../support/certificates.ts';
import { DEVICE_ID, GROUP_KEY, runResult, sign } from '../../support/device.ts';
import { send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const BODY = JSON.stringify(runResult());
const DAY_MS = 86_400_000;
const TENANT = '7a1f3b90-52a4-4b6f-9d1e-2f6c1f0a9b33';
const INTUNE_DEVICE = '3c2b1e0f-9a81-4f1b-9a6d-1d5c8a527e0f';
const DEVICE_OID = '1.2.840.113556.5.4';
const TENANT_OID = '1.2.840.113556.5.14';

let redis: TestRedis;
let directory: string;
let root: Authority;
let issuing: Authority;
let stranger: Authority;
let device: Made;
/** By name: the same service under different settings. */
const doors: Record<string, ListeningApp> = {};

async function open(name: string, env: Record<string, string>): Promise<void> {
  doors[name] = await startListeningApp(redis, { env: { DEVICE_CA_FILE: join(directory, 'ca.pem'), ...env } });
}

beforeAll(async () => {
  redis = await startTestRedis();
  directory = await mkdtemp(join(tmpdir(), 'runstate-certificates-'));
  root = await createAuthority();
  issuing = await root.below();
  stranger = await createAuthority({ subject: 'CN=Devices Root' });
  device = await root.issue();
  await writeFile(join(directory, 'ca.pem'), root.pem);
  const trusted = { TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1' };
  await open('rfc9440', trusted);
  await open('envoy', { ...trusted, CLIENT_CERT_HEADER: 'x-forwarded-client-cert' });
  await open('untrusted', { TRUSTED_PROXIES: '10.0.0.0/8' });
  await open('dns', { ...trusted, DEVICE_ID_FROM_CERT: 'san-dns:{id}.pc.contoso.example' });
  await open('uri', { ...trusted, DEVICE_ID_FROM_CERT: 'san-uri:urn:device:{id}' });
  await open('intune', { ...trusted, DEVICE_ID_FROM_CERT: 'intune-mdm', AZURE_TENANT_ID: TENANT.toUpperCase() });
  await open('mapped', { TRUSTED_PROXIES: '::ffff:127.0.0.0/104' });
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  for (const door of Object.values(doors)) await door.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});

type Headers = Record<string, string | string[]>;

const submit = (door: string, headers: Headers, body = BODY) =>
  send({
    port: doors[door]?.port ?? 0,
    method: 'POST',
    path: '/v1/run-results',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });

/** Refused as every caller that is not known, with nothing stored; the log alone says why. */
async function expectUnknown(door: string, headers: Headers, reason: string, body = BODY): Promise<void> {
  const answer = await submit(door, headers, body);
  expect(answer).toMatchObject({
    status: 401,
    body: { code: 'unauthenticated', detail: 'the request must be signed with this device’s key, now' },
    headers: { 'www-authenticate': 'Signature' },
  });
  const { requestId } = answer.body as { requestId: string };
  expect(await doors[door]?.told(requestId)).toMatchObject({ deviceId: null, reason });
  expect(await redis.countStored()).toBe(0);
}

const UNSIGNED = 'a signature header is missing';
const UNREADABLE_HEADER = 'the proxy’s client certificate header cannot be read';
const UNREADABLE = 'the certificate cannot be read';
const NOT_CLIENT = 'the certificate is not for a client';
const UNKNOWN_AUTHORITY = 'the certificate is of no authority we know';
const NOT_VALID = 'the certificate or one above it is not valid now';
const NO_DEVICE = 'the certificate does not name exactly one device';
const NO_TENANT = 'the certificate is not of our Intune tenant';

describe('a certificate from a trusted proxy', () => {
  test('by Client-Cert · is the device · and stores what it submits', async () => {
    const answer = await submit('rfc9440', { 'Client-Cert': clientCert(device) });
    expect(answer).toMatchObject({ status: 202, body: { runId: 'run-1', duplicate: false } });
    expect(await doors['rfc9440']?.told(answer.headers['x-request-id'])).toMatchObject({ deviceId: DEVICE_ID });
  });

  test('by Envoy’s header · is the device · whatever else the header says', async () => {
    expect((await submit('envoy', { 'X-Forwarded-Client-Cert': forwardedClientCert(device) })).status).toBe(202);
    const chain = `;Chain="${encodeURIComponent(device.pem + root.pem)}";URI=`;
    const whole = forwardedClientCert(device, chain);
    expect((await submit('envoy', { 'X-Forwarded-Client-Cert': whole })).status).toBe(200);
  });

  test('reads its own delivery · and no other device’s · by the same certificate', async () => {
    const { body } = await submit('rfc9440', { 'Client-Cert': clientCert(device) });
    const path = `/v1/deliveries/${(body as { deliveryId: string }).deliveryId}`;
    const port = doors['rfc9440']?.port ?? 0;
    const other = await root.issue({ subject: 'CN=BER-LAT-0002' });
    expect(await send({ port, method: 'GET', path, headers: { 'Client-Cert': clientCert(device) } })).toMatchObject({
      status: 200,
      body: { deviceId: DEVICE_ID },
    });
    expect(await send({ port, method: 'GET', path, headers: { 'Client-Cert': clientCert(other) } })).toMatchObject({
      status: 404,
      body: { code: 'not-found', detail: 'there is no such delivery' },
    });
  });

  test('of another device · speaks for itself alone · and is refused as wrong-device', async () => {
    const other = await root.issue({ subject: 'CN=BER-LAT-0002' });
    expect(await submit('rfc9440', { 'Client-Cert': clientCert(other) })).toMatchObject({
      status: 403,
      body: { code: 'wrong-device' },
    });
  });

  test('with its chain · leads over an issuing authority · in any order, over several fields', async () => {
    const deep = await issuing.below({ subject: 'CN=Devices Issuing Deep' });
    const made = await deep.issue();
    const leaf = { 'Client-Cert': clientCert(made) };
    const chain = { ...leaf, 'Client-Cert-Chain': `${clientCert(issuing)}, ${clientCert(deep)}` };
    expect((await submit('rfc9440', chain)).status).toBe(202);
    const fields = { ...leaf, 'Client-Cert-Chain': [clientCert(deep), clientCert(issuing)] };
    expect((await submit('rfc9440', fields)).status).toBe(200);
    const pems = `;Chain="${encodeURIComponent(made.pem + deep.pem + issuing.pem)}"`;
    expect((await submit('envoy', { 'X-Forwarded-Client-Cert': forwardedClientCert(made, pems) })).status).toBe(200);
  });

  test('of RSA keys · is as good · from 2048 bits on', async () => {
    const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]) } as const;
    const good = await root.issue({ algorithm: { ...rsa, modulusLength: 2048 } });
    expect((await submit('rfc9440', { 'Client-Cert': clientCert(good) })).status).toBe(202);
    await redis.client.flushall();
    const short = await root.issue({ algorithm: { ...rsa, modulusLength: 1024 } });
    await expectUnknown('rfc9440', { 'Client-Cert': clientCert(short) }, NOT_CLIENT);
  });

  test('that a proxy known by its IPv6 form passes on · counts · IPv4 is the same address', async () => {
    expect((await submit('mapped', { 'Client-Cert': clientCert(device) })).status).toBe(202);
  });
});

test('an authority that is removed · is trusted no more · not even for certificates seen before', async () => {
  const other = await createAuthority({ subject: 'CN=Other' });
  const file = join(directory, 'changing.pem');
  await writeFile(file, root.pem + other.pem);
  await open('changing', { TRUSTED_PROXIES: '127.0.0.1', DEVICE_CA_FILE: file });
  const headers = { 'Client-Cert': clientCert(await other.issue()) };
  expect((await submit('changing', headers)).status).toBe(202);
  await writeFile(file, root.pem);
  await until('the authority is gone', async () => (await submit('changing', headers)).status === 401);
  expect((await submit('changing', { 'Client-Cert': clientCert(device) })).status).toBe(200);
});

describe('whose word is taken', () => {
  test.each([
    ['Client-Cert', () => ({ 'Client-Cert': clientCert(device) })],
    ['Client-Cert with a chain', () => ({ 'Client-Cert': clientCert(device), 'Client-Cert-Chain': clientCert(root) })],
    ['Envoy’s header', () => ({ 'X-Forwarded-Client-Cert': forwardedClientCert(device) })],
  ])('%s · from an address that is no proxy of ours · never matters', async (_what, headers) => {
    await expectUnknown('untrusted', headers(), UNSIGNED);
  });

  test('a forged certificate header · beside another device’s signature · changes nothing', async () => {
    const forged = { 'Client-Cert': clientCert(await root.issue({ subject: 'CN=BER-LAT-0002' })) };
    for (const door of ['untrusted', 'rfc9440']) {
      const answer = await submit(door, { ...forged, ...sign({ body: BODY }) });
      expect(answer.status).toBe(door === 'untrusted' ? 202 : 200);
    }
  });

  test.each([
    ['rfc9440', 'Envoy’s', () => ({ 'X-Forwarded-Client-Cert': forwardedClientCert(device) })],
    ['rfc9440', 'a chain alone', () => ({ 'Client-Cert-Chain': clientCert(device) })],
    ['envoy', 'RFC 9440’s', () => ({ 'Client-Cert': clientCert(device) })],
  ])('a proxy that sets another header · %s, %s · passes nothing on', async (door, _what, headers) => {
    await expectUnknown(door, headers(), UNSIGNED);
  });

  test('an invalid signature · is refused · also with a valid certificate', async () => {
    const other = { groupKey: GROUP_KEY.replace('8isr', 'AAAA') };
    const headers = { 'Client-Cert': clientCert(device), ...sign({ body: BODY, ...other }) };
    await expectUnknown('rfc9440', headers, 'the signature is wrong');
    const { Signature, ...half } = headers;
    expect(Signature).toBeDefined();
    await expectUnknown('rfc9440', half, UNSIGNED);
  });
});

describe('beside signatures by others', () => {
  const proxySays = (keyId: string, alg = 'ed25519') => ({
    'Signature-Input': `proxy_sig=("@authority" "client-cert");created=1700000000;keyid="${keyId}";alg="${alg}"`,
    Signature: 'proxy_sig=:AAAA:',
  });

  test.each([
    ['a key’s address', 'https://proxy.example/keys/1', 'ed25519'],
    ['a name that a device could have', 'proxy-1', 'ed25519'],
    ['such a name and the devices’ algorithm', 'proxy-1', 'hmac-sha256'],
  ])('that name %s · a certificate · is the device', async (_what, keyId, alg) => {
    const headers = { 'Client-Cert': clientCert(device), ...proxySays(keyId, alg) };
    const answer = await submit('rfc9440', headers);
    expect(answer.status).toBe(202);
    expect((await submit('rfc9440', { ...headers, ...sign({ body: BODY, deviceId: 'another' }) })).status).toBe(403);
  });

  test('that name nobody · without a certificate · identify no device', async () => {
    await expectUnknown('rfc9440', proxySays('https://proxy.example/keys/1'), 'keyid is no device id');
    await expectUnknown(
      'untrusted',
      { 'Client-Cert': clientCert(device), ...proxySays('k:1') },
      'keyid is no device id',
    );
  });

  test('a certificate of an unknown authority · is refused · also beside a proxy’s signature', async () => {
    const stranger = await (await createAuthority()).issue();
    await expectUnknown(
      'rfc9440',
      { 'Client-Cert': clientCert(stranger), ...proxySays('k:1') },
      'the certificate is of no authority we know',
    );
  });

  test('more than are read, or that cannot be read · are refused · whatever the certificate', async () => {
    const many = Array.from({ length: 9 }, (_, at) => at);
    const headers = {
      'Client-Cert': clientCert(device),
      'Signature-Input': many.map((at) => `p${at}=("@authority");keyid="k:${at}"`).join(', '),
      Signature: many.map((at) => `p${at}=:AAAA:`).join(', '),
    };
    await expectUnknown('rfc9440', headers, 'there are more than 8 signatures');
    await expectUnknown('rfc9440', { ...headers, Signature: 'x=!' }, 'the signature headers cannot be read');
  });
});

describe('a header that cannot be read', () => {
  test.each<[string, () => Headers]>([
    ['empty', () => ({ 'Client-Cert': '' })],
    ['half a byte sequence', () => ({ 'Client-Cert': clientCert(device).slice(0, -1) })],
    ['text behind a byte sequence', () => ({ 'Client-Cert': `${clientCert(device)}x` })],
    ['text', () => ({ 'Client-Cert': '"certificate"' })],
    ['twice', () => ({ 'Client-Cert': [clientCert(device), clientCert(device)] })],
    ['a list', () => ({ 'Client-Cert': `${clientCert(device)}, ${clientCert(device)}` })],
    ['a chain of text', () => ({ 'Client-Cert': clientCert(device), 'Client-Cert-Chain': 'root' })],
    ['a chain that breaks off', () => ({ 'Client-Cert': clientCert(device), 'Client-Cert-Chain': ':AAAA' })],
  ])('Client-Cert %s · identifies no device · and is refused', async (_what, headers) => {
    await expectUnknown('rfc9440', headers(), UNREADABLE_HEADER);
  });

  test.each<[string, () => string | string[]]>([
    ['empty', () => ''],
    ['without a certificate', () => 'Hash=00ff;Subject="CN=BER-LAT-0001"'],
    ['of two hops', () => `${forwardedClientCert(device)},${forwardedClientCert(device)}`],
    ['twice', () => [forwardedClientCert(device), forwardedClientCert(device)]],
    ['with an open quote', () => forwardedClientCert(device).slice(0, -1)],
    ['with a broken percent escape', () => 'Cert="%E0%A4%A"'],
    ['of no PEM', () => 'Cert="-----BEGIN"'],
    ['with text behind a quote', () => `${forwardedClientCert(device)}x`],
    ['with a semicolon at its end', () => `${forwardedClientCert(device)};`],
  ])('X-Forwarded-Client-Cert %s · identifies no device · and is refused', async (_what, header) => {
    await expectUnknown('envoy', { 'X-Forwarded-Client-Cert': header() }, UNREADABLE_HEADER);
  });
});

describe('a header of any form', () => {
  const escaped = (text: string) => encodeURIComponent(text);
  /** As AWS writes it: what is safe in a header stays. */
  const escapedAsAws = (text: string) =>
    escaped(text).replaceAll('%2B', '+').replaceAll('%2F', '/').replaceAll('%3D', '=');
  const base64 = ({ der }: Made) => der.toString('base64');
  let below: Made;
  let other: Made;
  beforeAll(async () => {
    below = await issuing.issue();
    other = await root.issue({ subject: 'CN=BER-LAT-0002' });
    await open('named', { TRUSTED_PROXIES: '127.0.0.1', CLIENT_CERT_HEADER: 'X-Any-Name' });
  });
  const named = (value: string | string[]) => ({ 'X-Any-Name': value });

  test.each<[string, () => string]>([
    ['as nginx escapes it', () => escaped(device.pem)],
    ['escaped, with lower-case digits', () => escaped(device.pem).replaceAll(/%../g, (digits) => digits.toLowerCase())],
    ['escaped as a form', () => escaped(device.pem).replaceAll('%20', '+')],
    ['as AWS escapes it', () => escapedAsAws(device.pem)],
    ['as AWS escapes it, with its chain', () => escapedAsAws(below.pem + issuing.pem + root.pem)],
    ['in base64', () => base64(device)],
    ['in base64, escaped', () => escaped(base64(device))],
    ['as Traefik lists it', () => [below, issuing, root].map(base64).join(',')],
    ['as RFC 9440 has it', () => clientCert(device)],
    ['as Envoy has it', () => forwardedClientCert(device)],
    ['as Envoy has it, its chain alone', () => `Hash=00;Chain="${escaped(below.pem + issuing.pem)}"`],
    [
      'as Istio has it, with the hops behind',
      () =>
        `${forwardedClientCert(device)},By=spiffe://cluster.local/ns/a/sa/b;Hash=00ff;Subject="";URI=spiffe://cluster.local/ns/c/sa/d;URI=x, By=x;Cert=""`,
    ],
  ])('%s · under any name · is the device', async (_how, value) => {
    expect(await submit('named', named(value()))).toMatchObject({ status: 202, body: { runId: 'run-1' } });
  });

  test('RFC 9440’s chain · goes by the same name · with -Chain behind it', async () => {
    const headers = { ...named(clientCert(below)), 'X-Any-Name-Chain': clientCert(issuing) };
    expect((await submit('named', headers)).status).toBe(202);
  });

  test.each<[string, () => string | string[]]>([
    ['twice', () => [escaped(device.pem), escaped(device.pem)]],
    ['joined to another by a comma', () => `${escaped(device.pem)},${escaped(other.pem)}`],
    ['with a key behind it', () => escaped(device.pem + device.keyPem)],
    ['with text before it', () => escaped(`subject=${device.pem}`)],
    ['cut', () => escaped(device.pem).slice(0, -20)],
    ['with a broken escape', () => `${escaped(device.pem)}%`],
    ['of nothing but its frame', () => escaped('-----BEGIN CERTIFICATE----------END CERTIFICATE-----')],
    ['base64 of another alphabet', () => base64(device).replace(/[+/]/g, '-')],
    ['base64 with an empty one behind', () => `${base64(device)},`],
    ['base64 with a space in it', () => base64(device).replace(/.{20}/, '$& ')],
    ['two elements with a certificate', () => `${forwardedClientCert(device)},${forwardedClientCert(other)}`],
    ['an element without, then one with a certificate', () => `By=x;Hash=00,${forwardedClientCert(device)}`],
    [
      'a certificate, then a chain of another hop',
      () => `${forwardedClientCert(device)},Chain="${escaped(other.pem)}"`,
    ],
    ['two certificates in one element', () => `${forwardedClientCert(device)};Cert="${escaped(other.pem)}"`],
    ['an element that breaks off', () => `${forwardedClientCert(device)},By`],
  ])('%s · identifies no device · whoever sends it', async (_how, value) => {
    await expectUnknown('named', named(value()), UNREADABLE_HEADER);
  });

  test.each<[string, () => string]>([
    ['PEM', () => escaped(device.pem + other.pem)],
    ['base64', () => [device, other].map(base64).join(',')],
    ['base64 with an authority between', () => [below, issuing, other].map(base64).join(',')],
    ['Envoy’s chain', () => forwardedClientCert(device, `;Chain="${escaped(device.pem + other.pem)}"`)],
    ['Envoy’s certificate and another’s chain', () => forwardedClientCert(device, `;Chain="${escaped(other.pem)}"`)],
  ])('two callers’ certificates in one list, %s · identify no device · not even the first', async (_how, value) => {
    await expectUnknown('named', named(value()), 'the certificates are of more than one caller');
  });

  test('an authority first · is no caller · though a device follows', async () => {
    await expectUnknown('named', named([root, device].map(base64).join(',')), NOT_CLIENT);
  });

  test('by the name of another form’s header · from an address that is no proxy · never matters', async () => {
    await expectUnknown('untrusted', { 'X-Any-Name': escaped(device.pem), 'Client-Cert': base64(device) }, UNSIGNED);
  });
});

describe('a certificate that does not count', () => {
  const from = (asked: Asked) => async () => ({ 'Client-Cert': clientCert(await root.issue(asked)) });
  const over = (asked: Parameters<Authority['below']>[0]) => async () => {
    const authority = await root.below(asked);
    return { 'Client-Cert': clientCert(await authority.issue()), 'Client-Cert-Chain': clientCert(authority) };
  };
  const sha1 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1', publicExponent: new Uint8Array([1, 0, 1]) } as const;

  test.each<[string, () => Promise<Headers> | Headers, string]>([
    ['is no certificate', () => ({ 'Client-Cert': ':AAAA:' }), UNREADABLE],
    [
      'has bytes behind it',
      () => ({ 'Client-Cert': `:${Buffer.concat([device.der, Buffer.from('x')]).toString('base64')}:` }),
      UNREADABLE,
    ],
    [
      'is of a stranger of the same name',
      async () => ({ 'Client-Cert': clientCert(await stranger.issue()) }),
      UNKNOWN_AUTHORITY,
    ],
    [
      'brings its own authority',
      async () => ({ 'Client-Cert': clientCert(await stranger.issue()), 'Client-Cert-Chain': clientCert(stranger) }),
      UNKNOWN_AUTHORITY,
    ],
    ['lacks its chain', async () => ({ 'Client-Cert': clientCert(await issuing.issue()) }), UNKNOWN_AUTHORITY],
    [
      'has signed itself',
      async () => ({ 'Client-Cert': clientCert(await createAuthority({ isAuthority: false, usages: USAGES.sign })) }),
      UNKNOWN_AUTHORITY,
    ],
    ['is the authority itself', () => ({ 'Client-Cert': clientCert(root) }), NOT_CLIENT],
    [
      'is an authority that names a device',
      async () => ({
        'Client-Cert': clientCert(
          await root.below({ subject: 'CN=BER-LAT-0001', usages: USAGES.all, purposes: ['1.3.6.1.5.5.7.3.2'] }),
        ),
      }),
      NOT_CLIENT,
    ],
    [
      'was over yesterday',
      from({ notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - 1000) }),
      NOT_VALID,
    ],
    [
      'begins tomorrow',
      from({ notBefore: new Date(Date.now() + DAY_MS), notAfter: new Date(Date.now() + 2 * DAY_MS) }),
      NOT_VALID,
    ],
    ['is for servers', from({ purposes: ['1.3.6.1.5.5.7.3.1'] }), NOT_CLIENT],
    ['may not sign', from({ usages: USAGES.encrypt }), NOT_CLIENT],
    [
      'has a critical extension nobody knows',
      from({ extensions: [extension('1.2.3.4', Buffer.from('0500', 'hex'), true)] }),
      NOT_CLIENT,
    ],
    ['is below an authority that is over', over({ notAfter: new Date(Date.now() - 1000) }), NOT_VALID],
    ['is below a certificate that is no authority', over({ isAuthority: false }), UNKNOWN_AUTHORITY],
    ['is below an authority that may not sign certificates', over({ usages: USAGES.sign }), UNKNOWN_AUTHORITY],
    [
      'is below an authority with a constraint on names',
      over({ extensions: [extension('2.5.29.30', Buffer.from('3000', 'hex'), true)] }),
      UNKNOWN_AUTHORITY,
    ],
    [
      'is below more authorities than one above allows',
      async () => {
        const short = await root.below({ pathLength: 0 });
        const deep = await short.below({ subject: 'CN=Too deep' });
        return {
          'Client-Cert': clientCert(await deep.issue()),
          'Client-Cert-Chain': `${clientCert(short)}, ${clientCert(deep)}`,
        };
      },
      UNKNOWN_AUTHORITY,
    ],
    [
      'has a chain without end',
      () => ({
        'Client-Cert': clientCert(device),
        'Client-Cert-Chain': Array.from({ length: 6 }, () => clientCert(root)).join(', '),
      }),
      'the certificate’s chain is too long',
    ],
    [
      'is signed with SHA-1',
      async () => {
        const old = await createAuthority({ subject: 'CN=Old', algorithm: { ...sha1, modulusLength: 2048 } });
        return { 'Client-Cert': clientCert(await old.issue({ algorithm: { ...sha1, modulusLength: 2048 } })) };
      },
      NOT_CLIENT,
    ],
  ])('one that %s · is refused · and stores nothing', async (_what, headers, reason) => {
    await expectUnknown('rfc9440', await headers(), reason);
  });

  test('one that says nothing of its purpose · counts · as it does in a handshake', async () => {
    const made = await root.issue({ purposes: null });
    expect((await submit('rfc9440', { 'Client-Cert': clientCert(made) })).status).toBe(202);
  });
});

describe('which device it is for', () => {
  const dns = (...values: string[]) => values.map((value) => ({ type: 'dns' as const, value }));
  const uri = (...values: string[]) => values.map((value) => ({ type: 'url' as const, value }));
  const intune = (deviceValue: Uint8Array[], tenantValue: Uint8Array[]) => ({
    subject: 'CN=whatever',
    extensions: [
      ...deviceValue.map((value) => extension(DEVICE_OID, value)),
      ...tenantValue.map((value) => extension(TENANT_OID, value)),
    ],
  });
  const tagged = (bytes: Uint8Array) => Buffer.concat([Buffer.from([4, 16]), bytes]);
  const id = guidBytes(INTUNE_DEVICE);
  const ours = guidBytes(TENANT);
  const theirs = guidBytes('00000000-52a4-4b6f-9d1e-2f6c1f0a9b33');

  test.each<[string, string, Asked, string]>([
    ['dns', 'its name', { names: dns('BER-LAT-0001.pc.contoso.example') }, DEVICE_ID],
    ['dns', 'one name that fits', { names: dns('vpn.contoso.example', 'BER-LAT-0001.pc.contoso.example') }, DEVICE_ID],
    ['uri', 'its address', { names: [...uri('urn:device:BER-LAT-0001'), ...dns('x.example')] }, DEVICE_ID],
    ['intune', 'Intune’s ids', intune([id], [ours]), INTUNE_DEVICE],
    ['intune', 'Intune’s ids with their tags', intune([tagged(id)], [tagged(ours)]), INTUNE_DEVICE],
  ])('%s · by %s · is that device', async (door, _what, asked, deviceId) => {
    const body = JSON.stringify(runResult({ deviceId }));
    const made = await root.issue(asked);
    expect((await submit(door, { 'Client-Cert': clientCert(made) }, body)).status).toBe(202);
  });

  test.each<[string, string, Asked, string]>([
    ['rfc9440', 'no common name', { subject: 'O=Contoso' }, NO_DEVICE],
    ['rfc9440', 'two common names', { subject: 'CN=BER-LAT-0001, CN=BER-LAT-0002' }, NO_DEVICE],
    ['rfc9440', 'a common name that is no device id', { subject: 'CN=BER LAT 0001' }, NO_DEVICE],
    ['dns', 'a common name alone', {}, NO_DEVICE],
    ['dns', 'two names that fit', { names: dns('A.pc.contoso.example', 'B.pc.contoso.example') }, NO_DEVICE],
    ['dns', 'a name of nothing but the rest', { names: dns('.pc.contoso.example') }, NO_DEVICE],
    ['dns', 'a name that goes on', { names: dns('BER-LAT-0001.pc.contoso.example.evil.example') }, NO_DEVICE],
    ['uri', 'the same as a DNS name', { names: dns('urn:device:BER-LAT-0001') }, NO_DEVICE],
    ['uri', 'an address that is no device id', { names: uri('urn:device:BER/0001') }, NO_DEVICE],
    ['intune', 'a common name alone', {}, NO_TENANT],
    ['intune', 'another tenant', intune([id], [theirs]), NO_TENANT],
    ['intune', 'no tenant', intune([id], []), NO_TENANT],
    ['intune', 'our tenant and another', intune([id], [ours, theirs]), NO_TENANT],
    ['intune', 'a tenant of 15 bytes', intune([id], [ours.subarray(1)]), NO_TENANT],
    [
      'intune',
      'our tenant, bytes in the order of the text',
      intune([id], [Buffer.from(TENANT.replaceAll('-', ''), 'hex')]),
      NO_TENANT,
    ],
    ['intune', 'no device', intune([], [ours]), NO_DEVICE],
    ['intune', 'a device of 17 bytes', intune([Buffer.concat([id, Buffer.from([0])])], [ours]), NO_DEVICE],
  ])('%s · by %s · identifies no device', async (door, _what, asked, reason) => {
    await expectUnknown(door, { 'Client-Cert': clientCert(await root.issue(asked)) }, reason);
  });
});
