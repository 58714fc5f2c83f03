// The directory's routes in the sandbox's Graph: who may read devices, what a device looks like, and its faults.
import { X509Certificate, createHash, createPrivateKey, randomUUID } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import type { Sandbox } from '../../../src/sandbox/sandbox.ts';
import { failureOf } from '../client.ts';
import { openSandbox } from '../opened.ts';

const { sandbox, client } = await openSandbox();
beforeEach(() => signIn(sandbox.directoryApp));

const signIn = ({ clientId, clientSecret }: Sandbox['directoryApp']) =>
  client.signIn({ client_id: clientId, client_secret: clientSecret });
const read = (deviceId: string, query = '') =>
  client.call(`${sandbox.authorityHost}/v1.0/devices(deviceId='${deviceId}')${query}`);
const list = (query = '') => client.call(`${sandbox.authorityHost}/v1.0/devices${query}`);
const errorOf = async (response: { json: () => Promise<unknown> }) =>
  ((await response.json()) as { error: { code: string } }).error.code;

type Device = { alternativeSecurityIds: { type: number; key: string }[]; [name: string]: unknown };
const deviceOf = async (deviceId: string) => (await (await read(deviceId)).json()) as Device;
const keysOf = ({ alternativeSecurityIds }: Device) =>
  alternativeSecurityIds
    .filter(({ type }) => type === 2)
    .map(({ key }) => Buffer.from(key, 'base64').toString('utf16le'));

/** Written out here once more, from the specification. */
function expectedKey(certificatePem: string): string {
  const { raw, publicKey } = new X509Certificate(certificatePem);
  const thumbprint = createHash('sha1').update(raw).digest('hex').toUpperCase();
  const pkcs1 = publicKey.export({ type: 'pkcs1', format: 'der' });
  return `X509:<SHA1-TP-PUBKEY>${thumbprint}${createHash('sha256').update(pkcs1).digest('base64')}`;
}

describe('a device that joins', () => {
  test('gets a certificate for its id · from MS-Organization-Access · with the key that belongs to it', async () => {
    const deviceId = randomUUID().toUpperCase();
    const joined = await sandbox.directory.join({ deviceId, trustType: 'ServerAd' });
    const certificate = new X509Certificate(joined.certificatePem);
    expect([certificate.subject, certificate.issuer]).toEqual([
      `CN=${deviceId.toLowerCase()}`,
      'CN=MS-Organization-Access',
    ]);
    expect(certificate.checkPrivateKey(createPrivateKey(joined.privateKeyPem))).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 });
    expect(await deviceOf(deviceId)).toMatchObject({ trustType: 'ServerAd', accountEnabled: true, isManaged: true });
  });

  test('with the longer issuer name · has unit and domain · in one relative name', async () => {
    const { certificatePem } = await sandbox.directory.join({ issuer: 'long' });
    expect(new X509Certificate(certificatePem).issuer.split('\n')).toEqual([
      expect.stringMatching(/CN=MS-Organization-Access/),
    ]);
  });

  test('has an entry of type 2 for its key · beside one of another type · with its own key', async () => {
    const [one, other] = await Promise.all([sandbox.directory.join(), sandbox.directory.join()]);
    const device = await deviceOf(one.deviceId);
    expect(keysOf(device)).toEqual([expectedKey(one.certificatePem)]);
    expect(device.alternativeSecurityIds.map(({ type }) => type)).toEqual([1, 2]);
    expect(keysOf(await deviceOf(other.deviceId))).not.toEqual(keysOf(device));
  });

  test('under an id that is taken · is refused · and changes nothing', async () => {
    const { deviceId, certificatePem } = await sandbox.directory.join();
    await expect(sandbox.directory.join({ deviceId })).rejects.toThrow('already');
    expect(keysOf(await deviceOf(deviceId))).toEqual([expectedKey(certificatePem)]);
  });
});

describe('a device', () => {
  test('disabled, unmanaged, deleted · is shown as such · at once', async () => {
    const { deviceId } = await sandbox.directory.join();
    sandbox.directory.change(deviceId, { accountEnabled: false });
    expect(await deviceOf(deviceId)).toMatchObject({ accountEnabled: false, isManaged: true });
    sandbox.directory.change(deviceId, { isManaged: false });
    expect(await deviceOf(deviceId)).toMatchObject({ accountEnabled: false, isManaged: false });
    sandbox.directory.delete(deviceId);
    const response = await read(deviceId);
    expect([response.status, await errorOf(response)]).toEqual([404, 'Request_ResourceNotFound']);
    expect(() => sandbox.directory.change(deviceId, {})).toThrow('no device');
  });

  test('with a new key · keeps the entry of the old one · unless that is forgotten', async () => {
    const first = await sandbox.directory.join();
    const second = await sandbox.directory.rollKey(first.deviceId, { oldKey: 'kept' });
    expect(keysOf(await deviceOf(first.deviceId))).toEqual([first, second].map((at) => expectedKey(at.certificatePem)));
    const third = await sandbox.directory.rollKey(first.deviceId, { oldKey: 'forgotten' });
    expect(keysOf(await deviceOf(first.deviceId))).toEqual([expectedKey(third.certificatePem)]);
  });

  test('read with $select · has those members · and no others', async () => {
    const { deviceId } = await sandbox.directory.join();
    const response = await read(deviceId.toUpperCase(), '?$select=deviceId,isManaged');
    expect(await response.json()).toEqual({
      '@odata.context': `${sandbox.authorityHost}/v1.0/$metadata#devices/$entity`,
      deviceId,
      isManaged: true,
    });
  });

  test.each([
    ['an id that is no GUID', 'BER-DEL-00001', ''],
    ['an unknown member', '', '?$select=secret'],
    ['another parameter', '', '?$expand=registeredOwners'],
  ])('asked for with %s · is refused · with 400', async (_case, id, query) => {
    const { deviceId } = await sandbox.directory.join();
    const response = await read(id === '' ? deviceId : id, query);
    expect([response.status, await errorOf(response)]).toEqual([400, 'Request_BadRequest']);
  });
});

test('the list · is paged by $top · and every device is on one page', async () => {
  const joined = [await sandbox.directory.join(), await sandbox.directory.join(), await sandbox.directory.join()];
  type Page = { value: Device[]; '@odata.nextLink'?: string };
  const first = (await (await list('?$top=2&$select=deviceId')).json()) as Page;
  const second = (await (await client.call(first['@odata.nextLink'] ?? '')).json()) as Page;
  expect(first.value.map(({ deviceId }) => deviceId)).toEqual(joined.slice(0, 2).map(({ deviceId }) => deviceId));
  expect(second).toMatchObject({ value: [{ deviceId: joined[2]?.deviceId }] });
  expect(second).not.toHaveProperty('@odata.nextLink');
  expect((await list('?$top=1000')).status).toBe(400);
});

describe('an app', () => {
  test('without Device.Read.All · is refused every device · with 403 in the directory’s words', async () => {
    const { deviceId } = await sandbox.directory.join();
    await signIn(sandbox);
    for (const response of [await read(deviceId), await list()]) {
      expect([response.status, await errorOf(response)]).toEqual([403, 'Authorization_RequestDenied']);
    }
    expect((await client.create()).status).toBe(201);
  });

  test('with nothing but Device.Read.All · may read devices · and no run states', async () => {
    const { deviceId } = await sandbox.directory.join();
    expect([(await read(deviceId)).status, (await client.list()).status]).toEqual([200, 403]);
  });

  test('whose role is taken away · is refused · with the token it has', async () => {
    const { deviceId } = await sandbox.directory.join();
    expect((await read(deviceId)).status).toBe(200);
    sandbox.set({ directoryRoles: [] });
    expect((await read(deviceId)).status).toBe(403);
  });

  test('with roles for both · does both · with one token', async () => {
    const { deviceId } = await sandbox.directory.join();
    sandbox.set({ roles: ['DeviceManagementConfiguration.ReadWrite.All', 'Device.Read.All'] });
    await signIn(sandbox);
    expect([(await read(deviceId)).status, (await client.create()).status]).toEqual([200, 201]);
    expect(sandbox.requests().slice(-2)).toMatchObject([
      { operation: 'device', appId: sandbox.clientId },
      { operation: 'create', appId: sandbox.clientId },
    ]);
  });
});

describe('a fault of the directory', () => {
  test('429 with Retry-After · is met by the next device · and by no run state', async () => {
    const { deviceId } = await sandbox.directory.join();
    sandbox.set({ roles: ['DeviceManagementConfiguration.ReadWrite.All', 'Device.Read.All'] });
    await signIn(sandbox);
    sandbox.script('next 2 devices: 429 with Retry-After 7, 403');
    expect((await client.list()).status).toBe(200);
    const throttled = await read(deviceId);
    expect([throttled.status, throttled.headers.get('retry-after')]).toEqual([429, '7']);
    expect(await errorOf(await list())).toBe('Authorization_RequestDenied');
  });

  test('down · resets requests for devices · and no others', async () => {
    const { deviceId } = await sandbox.directory.join();
    sandbox.set({ directory: 'down' });
    expect(await failureOf(read(deviceId))).not.toBe('none');
    await signIn(sandbox);
    expect((await client.create()).status).toBe(201);
  });

  test('the limit on resource units · throttles devices · and leaves run states alone', async () => {
    const { deviceId } = await sandbox.directory.join();
    sandbox.set({ limiter: { directoryUnitsPer10s: 1 } });
    expect([(await read(deviceId)).status, (await read(deviceId)).status]).toEqual([200, 429]);
    await signIn(sandbox);
    expect((await client.create()).status).toBe(201);
  });
});

test('a certificate of the fleet’s authority · is for the device id · and chains to that authority', async () => {
  const issued = await sandbox.fleetAuthority.issue('BER-LNV-00001');
  const certificate = new X509Certificate(issued.certificatePem);
  expect(certificate.subject).toBe('CN=BER-LNV-00001');
  expect(certificate.verify(new X509Certificate(sandbox.fleetAuthority.pem).publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(issued.privateKeyPem))).toBe(true);
});

describe('the control routes', () => {
  const control = async (method: string, path: string, body?: object) => {
    const response = await client.control(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined };
  };

  test('for devices · join, disable, roll and delete one · as curl would', async () => {
    const joined = await control('POST', '/devices', { isManaged: false });
    const { deviceId, certificatePem } = joined.body as { deviceId: string; certificatePem: string };
    expect(joined.status).toBe(201);
    expect((await control('PATCH', `/devices/${deviceId}`, { accountEnabled: false })).status).toBe(204);
    expect(await deviceOf(deviceId)).toMatchObject({ accountEnabled: false, isManaged: false });
    const rolled = (await control('POST', `/devices/${deviceId}/key`)).body as { certificatePem: string };
    expect(keysOf(await deviceOf(deviceId))).toEqual(
      [certificatePem, rolled.certificatePem].map((pem) => expectedKey(pem)),
    );
    expect((await control('GET', '/devices')).body).toMatchObject({ devices: [{ deviceId }] });
    expect((await control('DELETE', `/devices/${deviceId}`)).status).toBe(204);
    expect((await control('DELETE', `/devices/${deviceId}`)).status).toBe(404);
  });

  test('for the fleet · issue a certificate · and show its authority', async () => {
    const issued = await control('POST', '/fleet-certificates', { deviceId: 'BER-LNV-00001' });
    expect(issued).toMatchObject({ status: 201, body: { deviceId: 'BER-LNV-00001' } });
    expect((await control('GET', '/fleet-ca.pem')).text).toBe(sandbox.fleetAuthority.pem);
  });

  test.each([
    ['POST', '/devices', { deviceId: 'BER-DEL-00001' }, 400],
    ['POST', '/devices', { secret: true }, 400],
    ['PATCH', '/devices/unknown', { accountEnabled: false }, 404],
    ['PATCH', '/devices/unknown', { trustType: 'Workplace' }, 400],
    ['POST', '/fleet-certificates', {}, 400],
    ['PUT', '/devices', {}, 404],
  ])('%s %s with %j · is refused · with %i', async (method, path, body, status) => {
    expect((await control(method, path, body)).status).toBe(status);
    expect(sandbox.directory.all()).toEqual([]);
  });
});
