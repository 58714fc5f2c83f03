// A fleet that signs with Entra certificates and was given no secret: who is accepted, who is refused, and who asked Graph.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceCredentials } from '../src/sandbox/directory/device-authority.ts';
import type { SecurityId } from '../src/sandbox/directory/security-id.ts';
import { openEntraFleet, type EntraFleet } from './support/entra-fleet.ts';
import { until } from './support/until.ts';

/** The campaign: `ENTRA_FLEET_DEVICES=1000 npx vitest run test/entra-fleet.test.ts`. */
const DEVICES = Number(process.env['ENTRA_FLEET_DEVICES'] ?? 30);
/** One in twenty is disabled or unmanaged, but always some of both. */
const BAD = Math.max(4, Math.round(DEVICES / 20));
/** A certificate a device; 50 questions per second; and what a busy machine needs. */
const PATIENCE_MS = 60_000 + DEVICES * 250;

let fleet: EntraFleet;
beforeAll(async () => {
  fleet = await openEntraFleet(DEVICES);
}, PATIENCE_MS);
afterAll(() => fleet.close());

const statusesOf = (answers: { status: number; code: string | undefined }[]) =>
  new Set(answers.map(({ status, code }) => `${status} ${code ?? ''}`.trim()));

test(
  'a fleet with Entra certificates · is accepted without a secret · but for what is disabled or not managed',
  async () => {
    const { sandbox, devices } = fleet;
    const bad = devices.slice(0, BAD);
    for (const [index, { deviceId }] of bad.entries()) {
      sandbox.directory.change(deviceId, index % 2 === 0 ? { accountEnabled: false } : { isManaged: false });
    }
    const answers = await fleet.submitAll(devices, 'run-1');
    expect(statusesOf(answers.slice(0, BAD))).toEqual(new Set(['401 unauthenticated']));
    expect(statusesOf(answers.slice(BAD))).toEqual(new Set(['202']));
    await until('every run is in Graph', () => sandbox.records().length === DEVICES - BAD, PATIENCE_MS);
    expect(new Set(sandbox.records().map(({ deviceName }) => deviceName))).toEqual(
      new Set(devices.slice(BAD).map(({ deviceId }) => deviceId)),
    );
  },
  PATIENCE_MS,
);

test('the API · has no credential · and only the worker’s apps asked Graph, once for each device', () => {
  const { sandbox, devices, environment } = fleet;
  expect(Object.keys(environment).filter((name) => /^(AZURE|DIRECTORY|GRAPH)_/.test(name))).toEqual([]);
  const asked = sandbox.requests().filter(({ operation }) => operation === 'device');
  expect(asked).toHaveLength(devices.length);
  expect(new Set(asked.map(({ appId }) => appId))).toEqual(new Set([sandbox.directoryApp.clientId]));
  const others = sandbox.requests().filter(({ operation, appId }) => operation !== 'device' && appId !== null);
  expect(new Set(others.map(({ appId }) => appId))).toEqual(new Set([sandbox.clientId]));
});

test(
  'a device disabled in mid-run · is refused once its entry is refreshed · and the others go on',
  { timeout: PATIENCE_MS },
  async () => {
    const { sandbox, devices } = fleet;
    const [disabled, deleted, other] = devices.slice(BAD);
    if (!disabled || !deleted || !other) throw new Error('the fleet is too small');
    sandbox.directory.change(disabled.deviceId, { accountEnabled: false });
    sandbox.directory.delete(deleted.deviceId);
    expect(await fleet.submit(disabled, 'run-2')).toMatchObject({ status: 202 });
    const refreshing = await fleet.startRefreshing();
    // While the directory answers too late, what it said before is used.
    for (const [device, name] of [
      [disabled, 'disabled'],
      [deleted, 'deleted'],
    ] as const) {
      let run = 0;
      const isRefused = async () => {
        const [answer] = await fleet.submitAll([device], `run-3-${(run += 1)}`, refreshing);
        return answer?.status === 401;
      };
      await until(`the ${name} device is refused`, isRefused, PATIENCE_MS);
    }
    expect(await fleet.submitAll([other], 'run-3', refreshing)).toMatchObject([{ status: 202 }]);
    // The other API process learns it from Redis.
    expect(await fleet.submitAll([disabled, deleted], 'run-4')).toMatchObject([{ status: 401 }, { status: 401 }]);
  },
);

test('a certificate from an authority of the same name · for a known device or a made-up one · is refused', async () => {
  const { sandbox, devices } = fleet;
  const [, , victim] = devices.slice(BAD);
  if (!victim) throw new Error('the fleet is too small');
  const forged = await sandbox.directory.forge(victim.deviceId);
  const stranger = await sandbox.directory.forge(randomUUID());
  expect(await fleet.submitAll([forged, stranger], 'run-5')).toMatchObject([{ status: 401 }, { status: 401 }]);
  expect(await fleet.submit(victim, 'run-6')).toMatchObject({ status: 202 });
});

describe('an entry of the directory', () => {
  const encode = (text: string) => Buffer.from(text, 'utf16le').toString('base64');
  const prefix = 'X509:<SHA1-TP-PUBKEY>';
  const thumbprintOf = (text: string) => text.slice(prefix.length, prefix.length + 40);
  const hashOf = (text: string) => text.slice(prefix.length + 40);

  test.each<[string, (text: string) => string | SecurityId]>([
    ['of another type', (text) => ({ type: 1, identityProvider: null, key: encode(text) })],
    ['in UTF-8', (text) => ({ type: 2, identityProvider: null, key: Buffer.from(text).toString('base64') })],
    ['with a thumbprint in small letters', (text) => prefix + thumbprintOf(text).toLowerCase() + hashOf(text)],
    ['with a plus sign in the middle', (text) => `${prefix}${thumbprintOf(text)}+${hashOf(text)}`],
    ['without padding', (text) => text.replace(/=+$/, '')],
    ['with a space at its end', (text) => `${text} `],
    ['of the thumbprint alone', (text) => prefix + thumbprintOf(text)],
    ['of the thumbprint and a hash of any key', (text) => `${prefix}${thumbprintOf(text)}*`],
    ['of the thumbprint and another key', (text) => prefix + thumbprintOf(text) + hashOf(othersEntry())],
    ['of another thumbprint and the key', (text) => prefix + thumbprintOf(othersEntry()) + hashOf(text)],
  ])('%s · vouches for nobody · 401', async (_what, change) => {
    const { directory } = fleet.sandbox;
    const device = await directory.join();
    const entry = change(entryOf(device.deviceId));
    const written = typeof entry === 'string' ? { type: 2, identityProvider: null, key: encode(entry) } : entry;
    directory.change(device.deviceId, { alternativeSecurityIds: [written] });
    expect(await fleet.submit(device, 'run-7')).toMatchObject({ status: 401 });
  });

  test('for each of a device’s keys · vouches for that key · until it is gone', async () => {
    const { directory } = fleet.sandbox;
    const before = await directory.join();
    const after = await directory.rollKey(before.deviceId, { oldKey: 'kept' });
    expect(await fleet.submitAll([before], 'run-8')).toMatchObject([{ status: 202 }]);
    expect(await fleet.submitAll([after], 'run-8')).toMatchObject([{ status: 200 }]);
    const replaced = await directory.join();
    const replacement = await directory.rollKey(replaced.deviceId, { oldKey: 'forgotten' });
    expect(await fleet.submitAll([replaced], 'run-8')).toMatchObject([{ status: 401 }]);
    expect(await fleet.submitAll([replacement], 'run-8')).toMatchObject([{ status: 202 }]);
  });

  const entryOf = (deviceId: string) => {
    const ids = fleet.sandbox.directory.get(deviceId)?.alternativeSecurityIds ?? [];
    return Buffer.from(ids.find(({ type }) => type === 2)?.key ?? '', 'base64').toString('utf16le');
  };
  const othersEntry = () => entryOf(fleet.devices.at(-1)?.deviceId ?? '');
});

test('made-up ids with certificates made for them · are asked about once each · and known devices go on', async () => {
  const { sandbox, devices } = fleet;
  const strangers = await Promise.all(Array.from({ length: 60 }, () => sandbox.directory.forge(randomUUID())));
  const ids = new Set(strangers.map(({ deviceId }) => deviceId));
  const wave = fleet.submitAll(strangers, 'run-9');
  expect(await fleet.submit(devices.at(-1) as DeviceCredentials, 'run-9')).toMatchObject({ status: 202, tries: 1 });
  expect(statusesOf(await wave)).toEqual(new Set(['401 unauthenticated']));
  expect(statusesOf(await fleet.submitAll(strangers, 'run-10'))).toEqual(new Set(['401 unauthenticated']));
  const asked = sandbox.requests().filter(({ path }) => ids.has(/'([^']+)'/.exec(path)?.[1] ?? ''));
  expect(asked).toHaveLength(strangers.length);
});

test('no process · logged a certificate or a key · of any device', () => {
  const log = [fleet.api, fleet.worker].map(({ stdout, stderr }) => stdout() + stderr()).join('');
  const body = ({ certificatePem }: { certificatePem: string }) => certificatePem.split('\n').at(1) ?? '';
  expect(fleet.devices.filter((device) => log.includes(body(device)))).toEqual([]);
});
