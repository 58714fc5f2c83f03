// Requests signed with the certificate a device got from Entra: what is asked of the directory, and what follows.
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { toDirectoryKey } from '../../../src/domain/directory/directory-key.ts';
import type { DirectoryVerdict } from '../../../src/http/identity/certificate/directory.ts';
import { startListeningApp, type ListeningApp } from '../../support/app.ts';
import { signWithCertificate, toField, type CertificateSigning } from '../../support/certificate-signing.ts';
import { createAuthority, type Asked, type Authority, type Made } from '../../support/certificates.ts';
import { runResult } from '../../support/device.ts';
import { send } from '../../support/raw-http.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const DEVICE = '3c2b1e0f-9a81-4f1b-9a6d-1d5c8a527e0f';
const BODY = JSON.stringify(runResult({ deviceId: DEVICE }));
const DAY_MS = 86_400_000;
const ALG = 'rsa-v1_5-sha256';
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });

let redis: TestRedis;
let directory: string;
let world: ListeningApp;
let entra: Authority;
let own: Authority;
let device: Made;
let randomly = 0;
/** What the directory answers, and what it was asked. */
let answers: () => Promise<DirectoryVerdict>;
let asked: [deviceId: string, key: string][] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  directory = await mkdtemp(join(tmpdir(), 'runstate-entra-'));
  own = await createAuthority();
  entra = await createAuthority({ subject: 'DC=net, DC=windows, CN=MS-Organization-Access, OU=82dbaca4' });
  device = await entra.issue({ subject: `CN=${DEVICE}`, keys });
  await writeFile(join(directory, 'ca.pem'), own.pem);
  world = await startListeningApp(redis, {
    env: { DEVICE_CA_FILE: join(directory, 'ca.pem') },
    random: () => randomly,
    verifyInDirectory: (deviceId, key) => {
      asked.push([deviceId, key]);
      return answers();
    },
  });
});
beforeEach(async () => {
  await redis.client.flushall();
  answers = () => Promise.resolve({ kind: 'good' });
  asked = [];
});
afterAll(async () => {
  await world.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});

const submit = (headers: Record<string, string>, body = BODY) =>
  send({
    port: world.port,
    method: 'POST',
    path: '/v1/run-results',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });
const signed = (signing: Partial<CertificateSigning> = {}) =>
  signWithCertificate({ certificate: device, alg: ALG, body: BODY, deviceId: DEVICE, ...signing });

async function expectUnknown(headers: Record<string, string>, reason: string): Promise<void> {
  const { status, body } = await submit(headers);
  expect([status, body]).toMatchObject([401, { code: 'unauthenticated' }]);
  expect(await world.told((body as { requestId: string }).requestId)).toMatchObject({ deviceId: null, reason });
  expect(await redis.countStored()).toBe(0);
}

test('one that the directory knows · is the device’s · and the directory is asked each time, by id and key', async () => {
  for (const status of [202, 200]) expect((await submit(signed())).status).toBe(status);
  const key = keys.publicKey.export({ type: 'pkcs1', format: 'der' });
  const { fingerprint } = new X509Certificate(device.der);
  const expected = toDirectoryKey(device.der, key);
  expect(expected).toContain(fingerprint.replaceAll(':', ''));
  expect(asked).toEqual([
    [DEVICE, expected],
    [DEVICE, expected],
  ]);
});

test('one whose device id is in capitals · is the device in lower case · as its keyid must be', async () => {
  const certificate = await entra.issue({ subject: `CN=${DEVICE.toUpperCase()}`, keys });
  expect((await submit(signed({ certificate }))).status).toBe(202);
  await redis.client.flushall();
  await expectUnknown(signed({ certificate, deviceId: DEVICE.toUpperCase() }), 'keyid is not the certificate’s device');
});

test('one that the directory does not confirm · is refused with 401 · though it did before', async () => {
  expect((await submit(signed())).status).toBe(202);
  await redis.client.flushall();
  answers = () => Promise.resolve({ kind: 'bad', reason: 'the device is disabled' });
  await expectUnknown(signed(), 'the device is disabled');
});

test.each([
  [0, '1'],
  [0.5, '3'],
  [0.999, '5'],
])('one that is being asked about · is to be sent again · after a whole number of seconds', async (chance, seconds) => {
  randomly = chance;
  answers = () => Promise.resolve({ kind: 'unknown', reason: 'the directory was not asked yet' });
  const { status, body, headers } = await submit(signed());
  expect([status, body, headers['retry-after']]).toMatchObject([503, { code: 'identity-unavailable' }, seconds]);
  expect(await redis.countStored()).toBe(0);
});

test('without Redis’s answer · the queue is not available · 503', async () => {
  answers = () => Promise.reject(new Error('no connection'));
  expect(await submit(signed())).toMatchObject({ status: 503, body: { code: 'queue-unavailable' } });
});

test('an authority of our own · is tried first · and the directory is not asked', async () => {
  const certificate = await own.issue({ subject: `CN=${DEVICE}`, keys });
  expect((await submit(signed({ certificate }))).status).toBe(202);
  expect(asked).toEqual([]);
});

describe('the directory is not asked about', () => {
  const issue = (asking: Asked) => entra.issue({ subject: `CN=${DEVICE}`, keys, ...asking });
  const WRONG = 'the signature is wrong';
  const NO_AUTHORITY = 'the certificate is of no authority we know';
  const NOT_VALID = 'the certificate or one above it is not valid now';
  const by = (subject: string) => async () => {
    const authority = await createAuthority({ subject });
    return signed({ certificate: await authority.issue({ subject: `CN=${DEVICE}`, keys }) });
  };

  test.each<[string, () => Promise<Record<string, string>>, string]>([
    [
      'a certificate without its key',
      async () =>
        signed({ keyPem: (await own.issue({ keys: generateKeyPairSync('rsa', { modulusLength: 2048 }) })).keyPem }),
      WRONG,
    ],
    [
      'another’s certificate beside a signature',
      async () => ({ ...signed(), 'Device-Certificate': toField(await issue({})) }),
      WRONG,
    ],
    [
      'one of another device',
      async () => signed({ certificate: await issue({ subject: 'CN=00000000-9a81-4f1b-9a6d-1d5c8a527e0f' }) }),
      'keyid is not the certificate’s device',
    ],
    [
      'one that is over',
      async () =>
        signed({
          certificate: await issue({
            notBefore: new Date(Date.now() - 2 * DAY_MS),
            notAfter: new Date(Date.now() - 1000),
          }),
        }),
      NOT_VALID,
    ],
    [
      'one that begins tomorrow',
      async () =>
        signed({
          certificate: await issue({
            notBefore: new Date(Date.now() + DAY_MS),
            notAfter: new Date(Date.now() + 2 * DAY_MS),
          }),
        }),
      NOT_VALID,
    ],
    ['one of a longer issuer', by('CN=MS-Organization-Access-2'), NO_AUTHORITY],
    ['one whose issuer is written otherwise', by('CN=ms-organization-access'), NO_AUTHORITY],
    ['one of two issuers', by('CN=MS-Organization-Access, CN=Other'), NO_AUTHORITY],
    ['one whose issuer says so elsewhere', by('O=MS-Organization-Access'), NO_AUTHORITY],
    ['one whose issuer hides a line', by('O="x\nCN=MS-Organization-Access"'), NO_AUTHORITY],
    [
      'one of no GUID',
      async () => signed({ certificate: await issue({ subject: 'CN=BER-LAT-0001' }), deviceId: 'BER-LAT-0001' }),
      NO_AUTHORITY,
    ],
    [
      'one of two subjects',
      async () => signed({ certificate: await issue({ subject: `CN=${DEVICE}, CN=${DEVICE}` }) }),
      NO_AUTHORITY,
    ],
    [
      'one with more in its subject',
      async () => signed({ certificate: await issue({ subject: `CN=${DEVICE}, O=Contoso` }) }),
      NO_AUTHORITY,
    ],
    [
      'one for servers',
      async () => signed({ certificate: await issue({ purposes: ['1.3.6.1.5.5.7.3.1'] }) }),
      'the certificate is not for a client',
    ],
    [
      'one of 1024 bits',
      async () => signed({ certificate: await issue({ keys: generateKeyPairSync('rsa', { modulusLength: 1024 }) }) }),
      'the certificate is not for a client',
    ],
    [
      'one of an elliptic curve',
      async () =>
        signed({
          certificate: await issue({ keys: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) }),
          alg: 'ecdsa-p256-sha256',
        }),
      NO_AUTHORITY,
    ],
    [
      'an authority itself',
      async () => signed({ certificate: await entra.below({ subject: `CN=${DEVICE}`, keys }) }),
      'the certificate is not for a client',
    ],
  ])('%s · which is refused · with 401', async (_what, headers, reason) => {
    await expectUnknown(await headers(), reason);
    expect(asked).toEqual([]);
  });
});
