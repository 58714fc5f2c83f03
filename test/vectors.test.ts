// The shared vectors against this implementation: what the service and its device client make of each.
import { createPublicKey, createSecretKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { DEFAULT_TENANT } from '../src/config/tenants/tenant.ts';
import { signRequest } from '../src/device/sign-request.ts';
import { toReportedText } from '../src/device/text/reported-text.ts';
import { toDeviceRunState } from '../src/domain/device-run-state.ts';
import { maskBiosPasswords } from '../src/domain/masking/bios-password.ts';
import { deriveDeviceKey } from '../src/domain/submission/device-key.ts';
import { parseRunResult } from '../src/domain/submission/run-result.ts';
import { findAlgorithm, isSignedBy } from '../src/http/identity/signature/certificate-algorithms.ts';
import type { FindSigner } from '../src/http/identity/signature/find-signer.ts';
import { createVerifySignature } from '../src/http/identity/signature/signature.ts';
import { createTargetsOf } from '../src/http/identity/signature/signed-target.ts';
import { runResult } from './support/device.ts';
import { ENCODINGS, EXIT_CODES, MASKING, SIGNATURES, type VectorKey } from './support/vectors.ts';

/** A run result that says neither. */
const UNFINISHED = runResult({ exitCode: undefined, state: undefined });

test('vectors · have names · that are used once', () => {
  const lists = [MASKING, ENCODINGS.texts, ENCODINGS.caps, EXIT_CODES.accepted, EXIT_CODES.refused];
  for (const list of [...lists, SIGNATURES.requests, SIGNATURES.derivedKeys]) {
    const names = list.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
    expect(names.length).toBeGreaterThan(3);
  }
});

test.each(MASKING)('masking · $name · hides the passwords alone, also if masked twice', ({ input, output }) => {
  expect(maskBiosPasswords(output)).toBe(output);
  expect(maskBiosPasswords(input)).toBe(output);
});

test.each(ENCODINGS.texts)('printed bytes · $name · become clean text', ({ bytes, codePage, text }) => {
  expect(toReportedText(Buffer.from(bytes, 'base64'), codePage)).toBe(text);
});

test.each(ENCODINGS.caps)('long output · $name · keeps head and tail', ({ parts, text }) => {
  const printed = parts.flatMap(({ bytes, times }) => Array<Buffer>(times).fill(Buffer.from(bytes, 'base64')));
  expect(toReportedText(Buffer.concat(printed))).toBe(text.map((part) => part.text.repeat(part.times)).join(''));
});

test.each(EXIT_CODES.accepted)('a run · $name · has its run state', ({ sent, stored, runState }) => {
  const parsed = parseRunResult({ ...UNFINISHED, ...sent });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  expect(parsed.runResult).toEqual(expect.objectContaining(stored));
  expect(toDeviceRunState(parsed.runResult).configurationState).toBe(runState);
});

test.each(EXIT_CODES.refused)('a run · $name · is refused', ({ exitCode, state }) => {
  const sent = { ...(exitCode !== undefined && { exitCode: Number(exitCode) }), ...(state !== undefined && { state }) };
  expect(parseRunResult({ ...UNFINISHED, ...sent }).ok).toBe(false);
});

test.each(SIGNATURES.derivedKeys)('a group key · $name · derives the device’s', ({ groupKey, deviceId, deviceKey }) => {
  expect(deriveDeviceKey(Buffer.from(groupKey, 'base64'), deviceId).toString('base64')).toBe(deviceKey);
});

const withKeys = SIGNATURES.requests.map((request) => ({ ...request, signer: keyOf(request.key) }));

test.each(withKeys)('a signature · $name · is the one that stands there', async (vector) => {
  const { signer, created: createdAtS, contentDigest, signatureInput, signature, base } = vector;
  if (signer.algorithm === 'hmac-sha256') {
    const signed = await signRequest({ ...vector, deviceKey: signer.deviceKey, createdAtS });
    expect(signed).toEqual({
      ...(contentDigest !== undefined && { 'Content-Digest': contentDigest }),
      'Signature-Input': signatureInput,
      Signature: signature,
    });
    return;
  }
  const algorithm = findAlgorithm(signer.algorithm);
  if (!algorithm) throw new Error(signer.algorithm);
  const bytes = Buffer.from(signature.slice('device=:'.length, -1), 'base64');
  expect(isSignedBy({ key: createPublicKey(signer.certificate), algorithm }, base, bytes)).toBe(true);
});

/** A key that is not derived is for agents alone. */
const forTheService = withKeys.filter(({ signer }) => !isOtherKey(signer));

test.each(forTheService)('the service · $name · computes the same base', (vector) => {
  const { signer, method, url, deviceId, created, contentDigest, signatureInput, signature } = vector;
  const groupKeys = 'groupKey' in signer ? [createSecretKey(Buffer.from(signer.groupKey, 'base64'))] : [];
  const findSigner: FindSigner = (_headers, { algorithm }) =>
    'certificate' in signer
      ? { key: createPublicKey(signer.certificate), algorithm, askDirectory: null }
      : 'there is no certificate';
  const verify = createVerifySignature({
    findTenant: (id) => (id === (vector.tenant ?? DEFAULT_TENANT) ? { groupKeys, findSigner } : undefined),
    targetsOf: createTargetsOf(() => false),
    clock: () => created * 1000,
  });
  const headers = {
    'signature-input': signatureInput,
    signature,
    ...(contentDigest !== undefined && { 'content-digest': contentDigest }),
    ...('certificateField' in signer && { 'device-certificate': signer.certificateField }),
  };
  const headersDistinct = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const { pathname, search } = new URL(url);
  const request = { method, headers, headersDistinct, socket: { remoteAddress: '192.0.2.1' } };
  const proof = verify({ request, url: `${pathname}${search}`, hasBody: contentDigest !== undefined });
  expect(proof).toMatchObject({ ok: true, tenantId: vector.tenant ?? DEFAULT_TENANT, deviceId });
});

function isOtherKey(signer: VectorKey): boolean {
  return signer.algorithm === 'hmac-sha256' && !('groupKey' in signer);
}

function keyOf(name: string) {
  const key = SIGNATURES.keys[name];
  if (!key) throw new Error(`there is no key ${name}`);
  return key;
}
