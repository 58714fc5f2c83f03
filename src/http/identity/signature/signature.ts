// Verifies a device's signature: RFC 9421 with hmac-sha256, over the RFC 9530 digest of the body.
import { createHmac, createSecretKey } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { deriveDeviceKey } from '../../../domain/submission/device-key.ts';
import { equal } from '../constant-time.ts';
import { covers, toMessage, toSignatureBase } from './signed-components.ts';
import { readSignedHeaders, type DeviceSignature } from './signed-headers.ts';
import type { TargetedRequest, TargetsOf } from './signed-target.ts';

/** How far a device's clock may be off. */
const CLOCK_TOLERANCE_S = 300;
const ALGORITHM = 'hmac-sha256';

export type SignedRequest = {
  request: Pick<IncomingMessage, 'method'> & TargetedRequest;
  /** As received: path and query, or the absolute form that proxies may send. */
  url: string;
  /** Whether the signature must cover a body digest; the body is compared with it once it has been read. */
  hasBody: boolean;
};

/**
 * The device that proved its identity and the Content-Digest it signed, if any; or the reason it did not, for the log only.
 * `signedBy` is the device named by an invalid signature, and null if no signature names a device.
 */
export type Proof =
  { ok: true; deviceId: string; contentDigest?: string } | { ok: false; reason: string; signedBy?: string | null };

/**
 * A library parses the structured fields, the rest is done here: libraries that verify everything take several times as
 * long, on the path of every submission. Tests compare the result with two of them.
 * @param groupKeys decoded group keys; a signature under any of them is valid
 * @param targetsOf the URLs the device may have requested, if proxies changed them
 */
export function createVerifySignature(
  groupKeys: readonly Uint8Array[],
  clock: () => number,
  targetsOf: TargetsOf,
): (request: SignedRequest) => Proof {
  const verifyMac = createVerifyMac(groupKeys);
  return ({ request, url, hasBody }) => {
    const message = toMessage(request);
    const { contentDigest = '' } = message;
    const read = readSignedHeaders(request.headers);
    if (!read.ok) return { ok: false, reason: read.reason, ...(read.isOthers === true && { signedBy: null }) };
    const { components, deviceId, parameters, bytes } = read.signature;
    const unsigned = (reason: string): Proof => ({ ok: false, reason, signedBy: deviceId });
    if (hasBody && contentDigest === '') return unsigned('a signature header is missing');
    const fault = findFault(read.signature, hasBody, clock() / 1000);
    if (fault !== null) return unsigned(fault);
    const tried = new Set<string | null>();
    for (const target of targetsOf(request, url)) {
      const base = toSignatureBase(components, parameters, message, target);
      if (tried.has(base)) continue;
      tried.add(base);
      if (base !== null && verifyMac(deviceId, base, bytes)) {
        return { ok: true, deviceId, ...(hasBody && { contentDigest }) };
      }
    }
    return unsigned(tried.has(null) ? 'what is covered cannot be computed here' : 'the signature is wrong');
  };
}

/** Faults that can be found without computing anything. */
function findFault(signature: DeviceSignature, hasBody: boolean, nowS: number): string | null {
  const { components, alg, created, expires = Infinity } = signature;
  const required = ['@method', '@path', ...(hasBody ? ['content-digest'] : [])];
  if (!covers(components, required)) return `the signature must cover ${required.join(', ')}`;
  if (alg !== ALGORITHM) return 'the algorithm is not hmac-sha256';
  if (!Number.isInteger(created)) return 'created is missing';
  if (Math.abs(nowS - Number(created)) > CLOCK_TOLERANCE_S) return 'created is too far from now';
  return typeof expires !== 'number' || nowS > expires ? 'the signature has expired' : null;
}

/**
 * Derives each device's key every time: cached key objects live outside the heap, and for a whole fleet caching costs more
 * than deriving. Node computes a MAC from a key object four times faster than from bytes.
 */
function createVerifyMac(groupKeys: readonly Uint8Array[]) {
  const groups = groupKeys.map((key) => createSecretKey(key));
  return (deviceId: string, base: string, mac: Uint8Array): boolean =>
    groups.some((group) => {
      const key = createSecretKey(deriveDeviceKey(group, deviceId));
      // Node decodes header fields as Latin-1: one byte per character.
      return equal(createHmac('sha256', key).update(base, 'latin1').digest(), mac);
    });
}
