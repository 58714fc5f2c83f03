// Whether a device signed a request: RFC 9421 with hmac-sha256, over the RFC 9530 digest of its body.
import { createHmac, createSecretKey } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { deriveDeviceKey } from '../../../domain/submission/device-key.ts';
import { equal } from '../constant-time.ts';
import { covers, toMessage, toSignatureBase } from './signed-components.ts';
import { readSignedHeaders, type DeviceSignature } from './signed-headers.ts';
import type { TargetedRequest, TargetsOf } from './signed-target.ts';

/** A device's clock may be off by this much. */
const CLOCK_TOLERANCE_S = 300;
const ALGORITHM = 'hmac-sha256';

export type SignedRequest = {
  request: Pick<IncomingMessage, 'method'> & TargetedRequest;
  /** As it came over the wire: path and query, or the absolute form that proxies may send. */
  url: string;
  /** Whether the digest of a body must be covered. The body is held against it once it is there. */
  hasBody: boolean;
};

/**
 * The device that proved itself, and the Content-Digest it signed, if any; or why it is not known: the reason goes to
 * the log, callers all hear the same. `signedBy` is the device that a signature names which is not good, and null where
 * every signature says that it is no device's.
 */
export type Proof =
  { ok: true; deviceId: string; contentDigest?: string } | { ok: false; reason: string; signedBy?: string | null };

/**
 * Makes the check of device signatures. The structures are read by a library, the rest is here: one that does all of
 * it takes several times as long, on the path of every submission. Tests hold it against two of those.
 * @param groupKeys decoded group keys; a signature under any of them is good
 * @param targetsOf what the device may have asked for, where proxies change that
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

/** What is wrong with a signature before anything is computed. */
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
 * Derives each device's key anew: kept keys are objects outside the heap, and a fleet of them costs more to keep than
 * to make. Node makes a MAC from a key object four times faster than from bytes.
 */
function createVerifyMac(groupKeys: readonly Uint8Array[]) {
  const groups = groupKeys.map((key) => createSecretKey(key));
  return (deviceId: string, base: string, mac: Uint8Array): boolean =>
    groups.some((group) => {
      const key = createSecretKey(deriveDeviceKey(group, deviceId));
      // Header fields are bytes, one for each character.
      return equal(createHmac('sha256', key).update(base, 'latin1').digest(), mac);
    });
}
