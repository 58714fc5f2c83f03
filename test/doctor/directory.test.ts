// What the doctor makes of the device directory: its token's permissions, and the device it was shown.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isSameApp, judgeDirectoryToken, judgeSampledDevice, sampleDevices } from '../../src/doctor/directory.ts';
import type { CredentialConfig } from '../../src/config/graph.ts';
import type { Failure } from '../../src/domain/attempt/failure.ts';
import type { Answered } from '../../src/graph/inspection/inspect.ts';
import { toSecret } from '../../src/config/secret.ts';

const CLIENT_ID = 'c3d1b6a4-0d52-4c3f-9a57-0f6f2c1f7a10';
const secret = (clientId = CLIENT_ID) => ({
  credential: { kind: 'secret', tenantId: 'tenant', clientId, secret: toSecret('s') } as CredentialConfig,
});
const managedIdentity = { credential: { kind: 'managed-identity', clientId: null } as CredentialConfig };

const keyed = (deviceId: string = randomUUID()) => ({
  deviceId,
  alternativeSecurityIds: [
    {
      type: 2,
      key: Buffer.from(`X509:<SHA1-TP-PUBKEY>${'A'.repeat(40)}${'b'.repeat(43)}=`, 'utf16le').toString('base64'),
    },
  ],
});
const answered = (body: unknown): Answered => ({ failure: null, status: 200, tookMs: 7.4, clockAheadMs: 0, body });
const refused = (failure: Partial<Failure>): Answered => ({
  ...answered(null),
  failure: { detail: 'because', ...failure } as Failure,
});

describe('the roles of the token', () => {
  const judge = (roles: string[], isShared = false, config = secret()) => {
    const claims = { roles, tenantId: null, expiresAt: null };
    const [, finding] = judgeDirectoryToken({ kind: 'token', value: 't', tookMs: 1, claims }, config, isShared);
    return finding;
  };

  test.each<[string[], boolean, string, RegExp]>([
    [['Device.Read.All'], false, 'ok', /^Device\.Read\.All and no other$/],
    [[], false, 'failed', /no role at all, and not Device\.Read\.All/],
    [['User.Read.All'], false, 'failed', /has User\.Read\.All, and not/],
    [['Directory.Read.All'], false, 'warning', /which is enough/],
    [
      ['Device.Read.All', 'User.Read.All', 'Device.ReadWrite.All'],
      false,
      'warning',
      /: User.*, Device\.ReadWrite\.All$/,
    ],
    [['Device.Read.All', 'DeviceManagementConfiguration.ReadWrite.All'], true, 'ok', /creates records too/],
    [['DeviceManagementConfiguration.ReadWrite.All'], true, 'failed', /and not Device\.Read\.All/],
  ])('%j · of an app that is shared: %s · are judged', (roles, isShared, result, detail) => {
    const finding = judge(roles, isShared);
    expect(finding).toMatchObject({
      check: 'directory-roles',
      result,
      detail: expect.stringMatching(detail) as string,
    });
    if (result !== 'ok') expect(finding?.remedy).toContain(CLIENT_ID);
  });

  test('a missing one · is to be granted · to the app that asks', () => {
    expect(judge([])?.remedy).toBe(
      `Grant app registration ${CLIENT_ID} the application permission Device.Read.All with admin consent.`,
    );
    expect(judge([], true, managedIdentity)?.remedy).toMatch(/^Grant the managed identity the application permission/);
  });

  test('of a token that cannot be read · are skipped', () => {
    const unread = { kind: 'token', value: 't', tookMs: 1, claims: null } as const;
    expect(judgeDirectoryToken(unread, secret(), false).map(({ result }) => result)).toEqual(['ok', 'skipped']);
  });
});

test.each([
  [secret(), secret(CLIENT_ID.toUpperCase()), true],
  [secret(), secret(randomUUID()), false],
  [managedIdentity, managedIdentity, true],
  [secret(), managedIdentity, false],
])('an app · is known by its client id · pair %#', (one, other, isSame) => {
  expect(isSameApp(one, other)).toBe(isSame);
});

describe('a list of devices', () => {
  const good = keyed();

  test('with one whose key can be read · yields that one · in lower case', () => {
    const others = [null, {}, { deviceId: randomUUID(), alternativeSecurityIds: [] }, keyed('no-guid')];
    const value = [...others, { ...good, deviceId: good.deviceId.toUpperCase() }];
    expect(sampleDevices(answered({ value }))).toEqual({ kind: 'device', deviceId: good.deviceId });
  });

  test.each<[string, Answered, string, string, RegExp, RegExp]>([
    ['empty', answered({ value: [] }), 'warning', 'directory-device', /no device yet/, /Join a device/],
    [
      'without any key',
      answered({ value: [{ deviceId: randomUUID(), alternativeSecurityIds: null }] }),
      'failed',
      'directory-device',
      /^of 1 devices, none has an entry of type 2/,
      /joined to Entra or registered/,
    ],
    ['of another form', answered('<html>'), 'failed', 'directory', /cannot be read/, /proxy/],
    ['forbidden', refused({ kind: 'forbidden' }), 'failed', 'directory', /because/, /Grant .* Device\.Read\.All/],
    ['not there', refused({ kind: 'rejected' }), 'failed', 'directory', /because/, /GRAPH_BASE_URL/],
    ['throttled', refused({ kind: 'throttled' }), 'failed', 'directory', /because/, /Ask again in a minute/],
  ])('%s · is judged · with a remedy', (_what, listed, result, check, detail, remedy) => {
    expect(sampleDevices(listed)).toEqual({
      kind: 'none',
      finding: {
        check,
        result,
        detail: expect.stringMatching(detail) as string,
        remedy: expect.stringMatching(remedy) as string,
      },
    });
  });
});

test.each<[string, (deviceId: string) => Answered, string, RegExp]>([
  ['itself', (id) => answered(keyed(id)), 'ok', /was read in 7 ms, and has a key$/],
  ['another', () => answered(keyed()), 'failed', /asked for by its id, does not have/],
  ['without keys', (deviceId) => answered({ deviceId }), 'failed', /does not have an entry of type 2/],
  ['an error', () => refused({ kind: 'rejected' }), 'failed', /: because$/],
])('a device asked for by its id · answered with %s · is judged', (_what, answer, result, detail) => {
  const deviceId = randomUUID();
  expect(judgeSampledDevice(answer(deviceId), deviceId)).toMatchObject({
    check: 'directory-device',
    result,
    detail: expect.stringMatching(detail) as string,
  });
});
