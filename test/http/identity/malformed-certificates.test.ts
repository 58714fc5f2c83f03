// Certificates that are broken at any place, and more of them than are remembered: no error, no long wait, no good one forgotten.
import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { parseAuthorities } from '../../../src/http/identity/certificate/authorities.ts';
import {
  createCertifiedDevices,
  type CertifiedDevices,
} from '../../../src/http/identity/certificate/certified-devices.ts';
import { createFindSigner } from '../../../src/http/identity/signature/find-signer.ts';
import { findAlgorithm } from '../../../src/http/identity/signature/certificate-algorithms.ts';
import { createAuthority, type Authority, type Made } from '../../support/certificates.ts';
import { DEVICE_ID } from '../../support/device.ts';
import { fc } from '../../support/properties.ts';

const ENTRA_DEVICE = '3c2b1e0f-9a81-4f1b-9a6d-1d5c8a527e0f';
const LONGEST_MS = 500;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

let root: Authority;
let issuing: Authority;
let certificates: Made[];
let listeners: (() => void)[];
let devices: CertifiedDevices;

beforeAll(async () => {
  root = await createAuthority();
  issuing = await root.below();
  const entra = await createAuthority({ subject: 'CN=MS-Organization-Access' });
  certificates = [
    await root.issue(),
    await root.issue({ keys: rsa, names: [{ type: 'dns', value: 'a.example' }] }),
    await entra.issue({ subject: `CN=${ENTRA_DEVICE}`, keys: rsa }),
  ];
  listeners = [];
  const authorities = parseAuthorities([root.pem]);
  const onChange = (listener: (value: typeof authorities) => void) => void listeners.push(() => listener(authorities));
  devices = createCertifiedDevices(
    {
      files: { current: () => authorities, onChange, close: () => undefined },
      rule: { from: 'cn', before: '', after: '' },
    },
    () => Promise.resolve({ kind: 'good' }),
  );
});

/** Bytes changed, cut, repeated or put in, a few at a time. */
const mutation = fc.record({
  at: fc.nat(),
  cut: fc.constantFrom(0, 0, 1, 1, 2, 40),
  put: fc.uint8Array({ maxLength: 3 }),
});
const mutated = fc
  .tuple(fc.nat({ max: 2 }), fc.array(mutation, { minLength: 1, maxLength: 3 }))
  .map(([which, mutations]) =>
    mutations.reduce(
      (bytes, { at, cut, put }) => {
        const place = at % bytes.length;
        return Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + cut)]);
      },
      certificates[which]?.der ?? Buffer.alloc(1),
    ),
  );

test('a certificate changed at any place · is refused or still valid · quickly and without an error', () => {
  const findSigner = createFindSigner(devices, Date.now);
  const algorithm = findAlgorithm('rsa-v1_5-sha256');
  if (!algorithm) throw new Error('no algorithm');
  let longestMs = 0;
  const reasons = new Set<string>();
  const look = (der: Buffer, others: Buffer[]) => {
    const toField = (bytes: Buffer) => `:${bytes.toString('base64')}:`;
    const headers = {
      'device-certificate': toField(der),
      ...(others.length > 0 && { 'device-certificate-chain': others.map(toField).join(', ') }),
    };
    for (const deviceId of [DEVICE_ID, ENTRA_DEVICE]) {
      const begunAt = performance.now();
      const found = findSigner(headers, { algorithm, deviceId });
      longestMs = Math.max(longestMs, performance.now() - begunAt);
      if (typeof found === 'string') reasons.add(found);
    }
  };
  fc.assert(
    fc.property(mutated, fc.option(mutated, { nil: null }), (der, other) => look(der, other ? [other] : [])),
    { numRuns: 600 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) => look(Buffer.from(bytes), [])),
    { numRuns: 200 },
  );
  expect([...reasons].sort()).toEqual(
    expect.arrayContaining(['the certificate cannot be read', 'the certificate is of no authority we know']),
  );
  expect(longestMs).toBeLessThan(LONGEST_MS);
});

test('authorities that all signed each other · are followed at most once each · and quickly', async () => {
  // Of one name and one key: each could stand above each, in any order.
  const loop = await createAuthority({ subject: 'CN=Loop' });
  const again = await Promise.all(Array.from({ length: 4 }, () => loop.below({ subject: 'CN=Loop' })));
  const leaf = await loop.issue();
  const begunAt = performance.now();
  expect(devices.byAny({ leaf: leaf.der, others: [loop, ...again].map(({ der }) => der), isOneList: false })).toBe(
    'the certificate is of no authority we know',
  );
  expect(performance.now() - begunAt).toBeLessThan(LONGEST_MS);
});

test('a certificate that was good · is remembered by its bytes · until the authorities change', async () => {
  const { der } = await issuing.issue();
  const chain = { leaf: der, others: [issuing.der], isOneList: false };
  const first = devices.byAny(chain);
  expect(first).toMatchObject({ deviceId: DEVICE_ID, askDirectory: null });
  expect(devices.byAny({ ...chain, leaf: Buffer.from(der) })).toBe(first);
  expect(devices.byAuthority(chain)).toBe(first);
  // Without the chain that led to an authority it is as unknown as ever.
  expect(devices.byAny({ ...chain, others: [] })).toBe('the certificate is of no authority we know');
  expect(devices.byAny(chain)).toBe(first);
  for (const listener of listeners) listener();
  expect(devices.byAny(chain)).not.toBe(first);
});

test('one for the directory · is remembered once it was confirmed · never for an authority', async () => {
  const chain = { leaf: certificates[2]?.der ?? Buffer.alloc(0), others: [], isOneList: false };
  const first = devices.byAny(chain);
  if (typeof first === 'string') throw new Error(first);
  expect(devices.byAny(chain)).not.toBe(first);
  expect(await first.askDirectory?.()).toEqual({ kind: 'good' });
  expect(devices.byAny(chain)).toBe(first);
  expect(devices.byAuthority(chain)).toBe('the certificate is of no authority we know');
});
