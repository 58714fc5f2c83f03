// Requests signed with a device's certificate: every algorithm and route, and all that does not count.
import { constants, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OPERATOR_TOKEN, startListeningApp, type ListeningApp } from '../../support/app.ts';
import { signWithCertificate, toField, type CertificateSigning } from '../../support/certificate-signing.ts';
import {
  createAuthority,
  extension,
  USAGES,
  type Asked,
  type AskedAuthority,
  type Authority,
  type Made,
} from '../../support/certificates.ts';
import { DEVICE_ID, runResult, sign } from '../../support/device.ts';
import { send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const WRONG = 'the signature is wrong';
const COVERAGE = 'the signature must cover @method, @path, content-digest, device-certificate';
const UNKNOWN_ALGORITHM = 'the algorithm is not one we know';
const NOT_THE_DEVICES = 'keyid is not the certificate’s device';
const UNREADABLE_FIELD = 'the Device-Certificate headers cannot be read';
const UNREADABLE = 'the certificate cannot be read';
const NOT_CLIENT = 'the certificate is not for a client';
const UNKNOWN_AUTHORITY = 'the certificate is of no authority we know';
const NOT_VALID = 'the certificate or one above it is not valid now';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const P256: [string, object] = ['sha256', { dsaEncoding: 'ieee-p1363' }];
const BODY = JSON.stringify(runResult());
const DAY_MS = 86_400_000;
const PATH = '/v1/run-results';

let redis: TestRedis;
let directory: string;
let world: ListeningApp;
let root: Authority;
/** An intermediate authority that is not in the file. */
let issuing: Authority;
let device: Made;

beforeAll(async () => {
  redis = await startTestRedis();
  directory = await mkdtemp(join(tmpdir(), 'runstate-signed-'));
  root = await createAuthority();
  issuing = await root.below();
  device = await root.issue();
  await writeFile(join(directory, 'ca.pem'), root.pem);
  // The authorities alone: neither TLS nor a proxy.
  world = await startListeningApp(redis, { env: { DEVICE_CA_FILE: join(directory, 'ca.pem') } });
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  await world.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});

type Headers = Record<string, string | string[]>;

const submit = (headers: Headers, body = BODY, path = PATH) =>
  send({
    port: world.port,
    method: 'POST',
    path,
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });
const signed = (signing: Partial<CertificateSigning> = {}) =>
  signWithCertificate({ certificate: device, body: BODY, ...signing });

const nowS = () => Math.floor(Date.now() / 1000);
function without(name: string): Headers {
  const { [name]: dropped, ...headers } = signed();
  expect(dropped).toBeDefined();
  return headers;
}

/** Refused as every caller that is not known, with nothing stored; the log alone says why. */
async function expectUnknown(headers: Headers, reason: string): Promise<void> {
  const answer = await submit(headers);
  expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  const { requestId } = answer.body as { requestId: string };
  expect(await world.told(requestId)).toMatchObject({ deviceId: null, reason });
  expect(await redis.countStored()).toBe(0);
}

const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const KEYS = {
  rsa: rsa(2048),
  'P-256': ec('prime256v1'),
  'P-384': ec('secp384r1'),
  'P-521': ec('secp521r1'),
  secp256k1: ec('secp256k1'),
  Ed25519: generateKeyPairSync('ed25519'),
  'RSA-PSS': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
  DSA: generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }),
};

/** Each algorithm of the contract with the kind of key it is for. */
const FITTING: [alg: string, kind: keyof typeof KEYS][] = [
  ['rsa-v1_5-sha256', 'rsa'],
  ['rsa-pss-sha512', 'rsa'],
  ['ecdsa-p256-sha256', 'P-256'],
  ['ecdsa-p384-sha384', 'P-384'],
  ['ed25519', 'Ed25519'],
];

describe.each(FITTING)('%s', (alg, kind) => {
  test('a run result · is stored as the device’s · and known again', async () => {
    const certificate = await root.issue({ keys: KEYS[kind] });
    const answer = await submit(signed({ certificate, alg }));
    expect(answer).toMatchObject({ status: 202, body: { runId: 'run-1' } });
    expect(await world.told(answer.headers['x-request-id'])).toMatchObject({ deviceId: DEVICE_ID });
    // Remembered by now, and with another label and order.
    const components = '"device-certificate" "content-digest" "@path" "@method"';
    expect((await submit(signed({ certificate, alg, components, label: 'sig1' }))).status).toBe(200);
    const batch = JSON.stringify([runResult({ runId: 'run-2' })]);
    const path = `${PATH}/batch`;
    const many = await submit(signed({ certificate, alg, body: batch, path }), batch, path);
    expect(many).toMatchObject({ status: 200, body: [{ runId: 'run-2', duplicate: false }] });
    const location = String(answer.headers['location']);
    for (const method of ['GET', 'HEAD']) {
      const own = signed({ certificate, alg, method, path: location, body: null });
      expect((await send({ port: world.port, method, path: location, headers: own })).status).toBe(200);
    }
  });
});

describe('what is not signed as it must be', () => {
  const withSignature = (change: (bytes: Buffer) => Buffer, signing: Partial<CertificateSigning> = {}) => {
    const headers = signed(signing);
    const bytes = Buffer.from(headers['Signature']?.slice('device=:'.length, -1) ?? '', 'base64');
    return { ...headers, Signature: `device=:${change(bytes).toString('base64')}:` };
  };

  test.each<[string, () => Headers | Promise<Headers>, string]>([
    ['whose certificate is not covered', () => signed({ components: '"@method" "@path" "content-digest"' }), COVERAGE],
    [
      'whose certificate is covered in another form',
      () => signed({ components: '"@method" "@path" "content-digest" "device-certificate";bs' }),
      COVERAGE,
    ],
    ['that covers no body', () => signed({ components: '"@method" "@path" "device-certificate"' }), COVERAGE],
    ['without the certificate', () => without('Device-Certificate'), 'there is no certificate beside the signature'],
    ['with the key of another', async () => signed({ keyPem: (await root.issue()).keyPem }), WRONG],
    [
      'beside another device’s certificate',
      async () => ({ ...signed(), 'Device-Certificate': toField(await root.issue({ subject: 'CN=BER-LAT-0002' })) }),
      NOT_THE_DEVICES,
    ],
    [
      'beside another certificate of the device',
      async () => ({ ...signed(), 'Device-Certificate': toField(await root.issue()) }),
      WRONG,
    ],
    ['whose keyid is another device', () => signed({ deviceId: 'BER-LAT-0002' }), NOT_THE_DEVICES],
    ['whose keyid is written otherwise', () => signed({ deviceId: DEVICE_ID.toLowerCase() }), NOT_THE_DEVICES],
    ['too early', () => signed({ createdS: nowS() - 400 }), 'created is too far from now'],
    ['too late', () => signed({ createdS: nowS() + 400 }), 'created is too far from now'],
    ['at no time', () => signed({ parameters: `;keyid="${DEVICE_ID}";alg="ecdsa-p256-sha256"` }), 'created is missing'],
    [
      'until a moment ago',
      () =>
        signed({ parameters: `;created=${nowS()};expires=${nowS() - 5};keyid="${DEVICE_ID}";alg="ecdsa-p256-sha256"` }),
      'the signature has expired',
    ],
    ['for another path', () => signed({ path: `${PATH}/batch` }), WRONG],
    ['for another method', () => signed({ method: 'GET' }), WRONG],
    ['by no algorithm', () => signed({ parameters: `;created=${nowS()};keyid="${DEVICE_ID}"` }), UNKNOWN_ALGORITHM],
    ['by an algorithm nobody knows', () => signed({ alg: 'rsa-v1_5-sha1' }), UNKNOWN_ALGORITHM],
    ['by an algorithm in other letters', () => signed({ alg: 'ED25519', by: P256 }), UNKNOWN_ALGORITHM],
    ['by a member every object has', () => signed({ alg: 'constructor', by: P256 }), UNKNOWN_ALGORITHM],
    ['by the algorithm of derived keys', () => signed({ alg: 'hmac-sha256', by: P256 }), WRONG],
    ['in DER', () => signed({ by: ['sha256', { dsaEncoding: 'der' }] }), WRONG],
    ['over another hash', () => signed({ by: ['sha384', { dsaEncoding: 'ieee-p1363' }] }), WRONG],
    ['with a byte too many', () => withSignature((bytes) => Buffer.concat([bytes, Buffer.from([0])])), WRONG],
    ['with a byte too few', () => withSignature((bytes) => bytes.subarray(1)), WRONG],
    ['with nothing', () => withSignature(() => Buffer.alloc(0)), WRONG],
    ['with zeros', () => withSignature((bytes) => Buffer.alloc(bytes.length)), WRONG],
    [
      'by PSS with a shorter salt',
      async () =>
        signed({
          certificate: await root.issue({ keys: KEYS.rsa }),
          alg: 'rsa-pss-sha512',
          by: ['sha512', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
        }),
      WRONG,
    ],
    [
      'by the other padding',
      async () =>
        signed({ certificate: await root.issue({ keys: KEYS.rsa }), alg: 'rsa-pss-sha512', by: ['sha512', {}] }),
      WRONG,
    ],
  ])('a request signed %s · is refused · with 401', async (_what, headers, reason) => {
    await expectUnknown(await headers(), reason);
  });

  test('another body · is refused · with 401', async () => {
    expect((await submit(signed(), BODY.replace('run-1', 'run-2'))).status).toBe(401);
    expect(await redis.countStored()).toBe(0);
  });

  test.each(
    FITTING.flatMap(([alg]) =>
      (Object.keys(KEYS) as (keyof typeof KEYS)[])
        .filter((kind) => !FITTING.some(([one, fitting]) => one === alg && fitting === kind))
        .map((kind) => [alg, kind] as const),
    ),
  )('%s · with a %s key · is refused', async (alg, kind) => {
    const certificate = await root.issue({ keys: KEYS[kind] });
    const reason = kind === 'DSA' ? NOT_CLIENT : 'the algorithm is not for the certificate’s key';
    await expectUnknown(signed({ certificate, alg, by: ['sha256', {}], keyPem: device.keyPem }), reason);
  });
});

describe('a header field that cannot be read', () => {
  const base64 = ({ der }: Pick<Made, 'der'>) => der.toString('base64');
  const withBits = (text: string) =>
    text.replace(/([A-Za-z0-9+/])(=+)$/, (_all, last: string, end: string) => `${after(last)}${end}`);
  const after = (letter: string) => LETTERS[(LETTERS.indexOf(letter) + 1) % 64] ?? '';
  /** As long as base64 needs padding. */
  let padded: Made;
  beforeAll(async () => {
    do padded = await root.issue({ subject: `CN=${DEVICE_ID}, O=${'x'.repeat(length++)}` });
    while (padded.der.length % 3 === 0);
  });
  let length = 1;

  test.each<[string, () => string]>([
    ['empty', () => ''],
    ['of no bytes', () => '::'],
    ['open', () => toField(device).slice(0, -1)],
    ['bare', () => base64(device)],
    ['quoted', () => `"${base64(device)}"`],
    ['with a parameter', () => `${toField(device)};a=1`],
    ['of two', () => `${toField(device)}, ${toField(device)}`],
    ['with a comma behind', () => `${toField(device)},`],
    ['as a member of a dictionary', () => `a=${toField(device)}`],
    ['of another alphabet', () => `:${padded.der.toString('base64url')}:`],
    ['with a space in it', () => toField(device).replace(/.{20}/, '$& ')],
    ['without padding', () => toField(padded).replaceAll('=', '')],
    ['with padding too much', () => toField(padded).replace(/:$/, '=:')],
    ['with bits that belong to no byte', () => `:${withBits(base64(padded))}:`],
  ])('Device-Certificate %s · is refused · with 401', async (_what, field) => {
    await expectUnknown(signed({ certificate: padded, field: field() }), UNREADABLE_FIELD);
  });

  test('Device-Certificate twice · is refused · with 401', async () => {
    const headers = signed({ field: `${toField(device)}, ${toField(device)}` });
    await expectUnknown({ ...headers, 'Device-Certificate': [toField(device), toField(device)] }, UNREADABLE_FIELD);
  });

  test.each<[string, () => string]>([
    ['of text', () => '"root"'],
    ['with a parameter', () => `${toField(issuing)};a=1`],
    ['with nothing between two commas', () => `${toField(issuing)},,${toField(issuing)}`],
    ['of PEM', () => encodeURIComponent(issuing.pem)],
  ])('Device-Certificate-Chain %s · is refused · with 401', async (_what, chain) => {
    await expectUnknown({ ...signed(), 'Device-Certificate-Chain': chain() }, UNREADABLE_FIELD);
  });
});

describe('a certificate that does not count', () => {
  const from = (asked: Asked) => async () => signed({ certificate: await root.issue(asked) });
  const over = (asked: AskedAuthority) => async () => {
    const authority = await root.below(asked);
    return signed({ certificate: await authority.issue(), chain: [authority] });
  };
  const withExponent = async (e: string) => {
    const { n = '' } = KEYS.rsa.publicKey.export({ format: 'jwk' });
    const publicKey = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' });
    const certificate = await root.issue({ keys: { ...KEYS.rsa, publicKey } });
    return signed({ certificate, alg: 'rsa-v1_5-sha256' });
  };
  const withBytes = (der: Buffer) => signed({ certificate: { ...device, der } });

  test.each<[string, () => Headers | Promise<Headers>, string]>([
    ['has no bytes of DER', () => withBytes(Buffer.from('certificate')), UNREADABLE],
    ['is cut', () => withBytes(device.der.subarray(0, -1)), UNREADABLE],
    ['has bytes behind it', () => withBytes(Buffer.concat([device.der, Buffer.from([0])])), UNREADABLE],
    ['is followed by another', () => withBytes(Buffer.concat([device.der, device.der])), UNREADABLE],
    ['is PEM', () => withBytes(Buffer.from(device.pem)), UNREADABLE],
    [
      'brings its own authority',
      async () => {
        const stranger = await createAuthority();
        return signed({ certificate: await stranger.issue(), chain: [stranger] });
      },
      UNKNOWN_AUTHORITY,
    ],
    [
      'has signed itself',
      async () =>
        signed({
          certificate: await createAuthority({ isAuthority: false, usages: USAGES.sign, subject: `CN=${DEVICE_ID}` }),
        }),
      UNKNOWN_AUTHORITY,
    ],
    ['lacks its chain', async () => signed({ certificate: await issuing.issue() }), UNKNOWN_AUTHORITY],
    [
      'is an authority',
      async () =>
        signed({
          certificate: await root.below({
            subject: `CN=${DEVICE_ID}`,
            usages: USAGES.all,
            purposes: ['1.3.6.1.5.5.7.3.2'],
          }),
        }),
      NOT_CLIENT,
    ],
    [
      'is over',
      from({ notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - 1000) }),
      NOT_VALID,
    ],
    [
      'begins tomorrow',
      from({ notBefore: new Date(Date.now() + DAY_MS), notAfter: new Date(Date.now() + 2 * DAY_MS) }),
      NOT_VALID,
    ],
    ['may not sign', from({ usages: USAGES.encrypt }), NOT_CLIENT],
    ['is for servers', from({ purposes: ['1.3.6.1.5.5.7.3.1'] }), NOT_CLIENT],
    [
      'has a critical extension nobody knows',
      from({ extensions: [extension('1.2.3.4', Buffer.from('0500', 'hex'), true)] }),
      NOT_CLIENT,
    ],
    [
      'has a key of 1024 bits',
      async () => signed({ certificate: await root.issue({ keys: rsa(1024) }), alg: 'rsa-v1_5-sha256' }),
      NOT_CLIENT,
    ],
    ['has a key whose exponent is 1', async () => withExponent('AQ'), NOT_CLIENT],
    ['has a key whose exponent is as long as itself', async () => withExponent('B'.repeat(342)), NOT_CLIENT],
    ['names nobody', from({ subject: 'O=Contoso' }), 'the certificate does not name exactly one device'],
    [
      'names two',
      from({ subject: `CN=${DEVICE_ID}, CN=BER-LAT-0002` }),
      'the certificate does not name exactly one device',
    ],
    ['is below an authority that is over', over({ notAfter: new Date(Date.now() - 1000) }), NOT_VALID],
    ['is below a device', over({ isAuthority: false }), UNKNOWN_AUTHORITY],
    ['is below an authority that may not sign certificates', over({ usages: USAGES.sign }), UNKNOWN_AUTHORITY],
    [
      'is below an authority with constraints on names',
      over({ extensions: [extension('2.5.29.30', Buffer.from('3000', 'hex'), true)] }),
      UNKNOWN_AUTHORITY,
    ],
    [
      'is below an authority with such constraints, not critical',
      over({ extensions: [extension('2.5.29.30', Buffer.from('3000', 'hex'))] }),
      UNKNOWN_AUTHORITY,
    ],
    [
      'is below more authorities than one above allows',
      async () => {
        const short = await root.below({ pathLength: 0 });
        const deep = await short.below({ subject: 'CN=Too deep' });
        return signed({ certificate: await deep.issue(), chain: [deep, short] });
      },
      UNKNOWN_AUTHORITY,
    ],
    [
      'has a chain without end',
      () => signed({ chain: Array.from({ length: 6 }, () => root) }),
      'the certificate’s chain is too long',
    ],
  ])('one that %s · is refused · with 401', async (_what, headers, reason) => {
    await expectUnknown(await headers(), reason);
  });

  test('over an authority between · in any order, over several fields · counts', async () => {
    const deep = await issuing.below({ subject: 'CN=Devices Issuing Deep' });
    const certificate = await deep.issue();
    expect((await submit(signed({ certificate, chain: [deep, issuing] }))).status).toBe(202);
    const fields = { ...signed({ certificate }), 'Device-Certificate-Chain': [toField(issuing), toField(deep)] };
    expect((await submit(fields)).status).toBe(200);
    // What was remembered with its chain still needs it.
    expect((await submit(signed({ certificate }))).status).toBe(401);
  });

  test('too large for the header section · is answered · and the next request is served', async () => {
    const large = await root.issue({ extensions: [extension('1.2.3.4', Buffer.alloc(48_000))] });
    expect((await submit(signed({ certificate: large }))).status).toBe(431);
    expect((await submit(signed())).status).toBe(202);
  });
});

describe('beside other proofs', () => {
  test('a revoked device · is refused · with 401', async () => {
    const operator = { Authorization: `Bearer ${OPERATOR_TOKEN}` };
    const revoked = await root.issue({ subject: 'CN=revoked' });
    const body = JSON.stringify(runResult({ deviceId: 'revoked' }));
    const headers = () => signWithCertificate({ certificate: revoked, body, deviceId: 'revoked' });
    expect((await submit(headers(), body)).status).toBe(202);
    await send({ port: world.port, method: 'POST', path: '/v1/devices/revoked/revoke', headers: operator });
    await until('the device is refused', async () => (await submit(headers(), body)).status === 401);
    expect(world.lines.at(-1)).toMatchObject({ reason: 'the device is revoked' });
  });

  test('a derived key and a certificate · the first signature counts · whichever it is', async () => {
    const both = (first: Record<string, string>, second: Record<string, string>) => ({
      ...first,
      ...second,
      'Signature-Input': [first, second].map((one, at) => `s${at}${one['Signature-Input']?.slice('device'.length)}`),
      Signature: [first, second].map((one, at) => `s${at}${one['Signature']?.slice('device'.length)}`),
    });
    expect((await submit(both(signed(), sign({ body: BODY })))).status).toBe(202);
    expect((await submit(both(sign({ body: BODY }), signed()))).status).toBe(200);
    const wrong = { ...sign({ body: BODY }), Signature: 'device=:AAAA:' };
    expect((await submit(both(wrong, signed()))).status).toBe(401);
  });

  test('a certificate · beside a signature by a derived key · changes nothing', async () => {
    const other = await root.issue({ subject: 'CN=BER-LAT-0002' });
    expect((await submit({ ...sign({ body: BODY }), 'Device-Certificate': toField(other) })).status).toBe(202);
  });

  test('another device’s delivery · is not found · 404', async () => {
    const { headers } = await submit(signed());
    const path = String(headers['location']);
    const other = await root.issue({ subject: 'CN=BER-LAT-0002' });
    const asked = signWithCertificate({
      certificate: other,
      method: 'GET',
      path,
      body: null,
      deviceId: 'BER-LAT-0002',
    });
    expect((await send({ port: world.port, method: 'GET', path, headers: asked })).status).toBe(404);
  });
});
