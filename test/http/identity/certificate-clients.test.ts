// Devices that sign with certificates through a public RFC 9421 library: each kind of key, Intune's certificates, and below a base path.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signRequest } from '../../../src/device/sign-request.ts';
import { startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { createAuthority, extension, guidBytes, type Asked, type Authority } from '../../support/certificates.ts';
import { DEVICE_ID, runResult } from '../../support/device.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const TENANT = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const OTHER_TENANT = '11111111-7425-40de-944b-e07fc1f90ae7';
const INTUNE_DEVICE = '6f9619ff-8b86-d011-b42d-00c04fc964ff';

let redis: TestRedis;
let directory: string;
let byName: TestApp;
let byIntune: TestApp;
let authority: Authority;

beforeAll(async () => {
  redis = await startTestRedis();
  directory = await mkdtemp(join(tmpdir(), 'runstate-clients-'));
  authority = await createAuthority();
  const DEVICE_CA_FILE = join(directory, 'ca.pem');
  await writeFile(DEVICE_CA_FILE, authority.pem);
  byName = await startTestApp(redis, { env: { DEVICE_CA_FILE, PUBLIC_BASE_PATH: '/bios' } });
  byIntune = await startTestApp(redis, {
    env: { DEVICE_CA_FILE, DEVICE_ID_FROM_CERT: 'intune-mdm', INTUNE_TENANT_ID: TENANT },
  });
  await Promise.all([untilConnected(byName), untilConnected(byIntune)]);
});
beforeEach(() => redis.client.flushall());
afterAll(async () => {
  await byName.close();
  await byIntune.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
});

/** Submits, then reads the delivery. @returns both statuses */
async function report(app: TestApp, asked: Asked, { deviceId = DEVICE_ID, basePath = '' } = {}): Promise<number[]> {
  const { pem, keyPem } = await authority.issue(asked);
  const origin = `http://127.0.0.1:${app.port}${basePath}`;
  const call = async (method: 'GET' | 'POST', path: string, body?: string) => {
    const url = `${origin}${path}`;
    const headers = await signRequest({
      method,
      url,
      ...(body !== undefined && { body }),
      deviceId,
      certificate: pem,
      privateKey: keyPem,
      createdAtS: Math.floor(Date.now() / 1000),
    });
    return fetch(url, { method, headers: { ...headers, 'Content-Type': 'application/json' }, body: body ?? null });
  };
  const posted = await call('POST', '/v1/run-results', JSON.stringify(runResult({ deviceId })));
  const { deliveryId = 'none' } = (await posted.json()) as { deliveryId?: string };
  const read = await call('GET', `/v1/deliveries/${deliveryId}`);
  await read.arrayBuffer();
  return [posted.status, read.status];
}

describe('a client library · signs with each kind of key · and is accepted', () => {
  test.each([
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
  ])('%s', async (_name, toKeys) => {
    const subject = `CN=${DEVICE_ID}`;
    expect(await report(byName, { subject, keys: toKeys() })).toEqual([202, 200]);
    expect(await report(byName, { subject, keys: toKeys() }, { basePath: '/bios' })).toEqual([200, 200]);
  });
});

describe('Intune’s certificate', () => {
  const ofTenant = (tenant: string): Asked => ({
    subject: `CN=${INTUNE_DEVICE}`,
    extensions: [
      extension('1.2.840.113556.5.4', guidBytes(INTUNE_DEVICE)),
      extension('1.2.840.113556.5.14', guidBytes(tenant)),
    ],
  });

  test('of our tenant · signs for its device · and for no other', async () => {
    expect(await report(byIntune, ofTenant(TENANT), { deviceId: INTUNE_DEVICE })).toEqual([202, 200]);
    expect(await report(byIntune, ofTenant(TENANT), { deviceId: DEVICE_ID })).toEqual([401, 401]);
  });

  test('of another tenant · is refused · with 401', async () => {
    expect(await report(byIntune, ofTenant(OTHER_TENANT), { deviceId: INTUNE_DEVICE })).toEqual([401, 401]);
  });
});
