// Verifies a device's signature: RFC 9421, by a derived key or a certificate's, over the RFC 9530 digest of the body.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { deriveDeviceKey } from '../../../domain/submission/device-key.ts';
import type { AskDirectory } from '../certificate/directory.ts';
import { CERTIFICATE_FIELD } from '../certificate/signed-certificate.ts';
import { equal } from '../constant-time.ts';
import { findAlgorithm, isSignedBy } from './certificate-algorithms.ts';
import type { Proof } from '../proof.ts';
import type { FindSigner } from './find-signer.ts';
import { covers, toMessage, toSignatureBase } from './signed-components.ts';
import { readSignedHeaders, type DeviceSignature } from './signed-headers.ts';
import type { TargetedRequest, TargetsOf } from './signed-target.ts';

/** How far a device's clock may be off. */
const CLOCK_TOLERANCE_S = 300;
const HMAC = 'hmac-sha256';

export type SignedRequest = {
  request: Pick<IncomingMessage, 'method'> & TargetedRequest;
  /** As received: path and query, or the absolute form that proxies may send. */
  url: string;
  /** Whether the signature must cover a body digest; the body is compared with it once it has been read. */
  hasBody: boolean;
};

/** Whether a base was signed; or why none can be, for the log. */
type Check = { isSigned: (base: string) => boolean; askDirectory: AskDirectory | null };

/** How devices of a tenant may sign. */
export type SigningTenant = {
  /** A signature under any of them is valid. */
  groupKeys: readonly KeyObject[];
  /** Null if certificates are not accepted. */
  findSigner: FindSigner | null;
};

/**
 * A library parses the structured fields, the rest is done here: libraries that verify everything take several times as
 * long, on the path of every submission. Tests compare the result with two of them.
 * @param findTenant undefined if there is no such tenant
 * @param targetsOf the URLs the device may have requested, if proxies changed them
 */
export function createVerifySignature({
  findTenant,
  targetsOf,
  clock,
}: {
  findTenant: (id: string) => SigningTenant | undefined;
  targetsOf: TargetsOf;
  clock: () => number;
}): (request: SignedRequest) => Proof {
  /** By the key that the signature's algorithm is for. */
  function toCheck(
    { alg, tenantId, deviceId, bytes }: DeviceSignature,
    headers: IncomingMessage['headers'],
  ): Check | string {
    const tenant = findTenant(tenantId);
    if (!tenant) return 'there is no such tenant';
    const { groupKeys, findSigner } = tenant;
    if (alg === HMAC) {
      return { isSigned: (base) => isMac({ groupKeys, deviceId, base, mac: bytes }), askDirectory: null };
    }
    const algorithm = findAlgorithm(alg);
    if (!findSigner) return 'the algorithm is not hmac-sha256';
    if (!algorithm) return 'the algorithm is not one we know';
    const found = findSigner(headers, { algorithm, deviceId });
    if (typeof found === 'string') return found;
    return { isSigned: (base) => isSignedBy(found, base, bytes), askDirectory: found.askDirectory };
  }

  return ({ request, url, hasBody }) => {
    const message = toMessage(request);
    const { contentDigest = '' } = message;
    const read = readSignedHeaders(request.headers, (id) => findTenant(id) !== undefined);
    if (!read.ok) return { ok: false, reason: read.reason, ...(read.isOthers === true && { signedBy: null }) };
    const { components, tenantId, deviceId, parameters } = read.signature;
    const unsigned = (reason: string): Proof => ({ ok: false, reason, signedBy: { tenantId, deviceId } });
    if (hasBody && contentDigest === '') return unsigned('a signature header is missing');
    const fault = findFault(read.signature, hasBody, clock() / 1000);
    if (fault !== null) return unsigned(fault);
    const check = toCheck(read.signature, request.headers);
    if (typeof check === 'string') return unsigned(check);
    const { isSigned, askDirectory } = check;
    const tried = new Set<string | null>();
    for (const target of targetsOf(request, url)) {
      const base = toSignatureBase({ components, parameters, message, target });
      if (tried.has(base)) continue;
      tried.add(base);
      if (base !== null && isSigned(base)) {
        return {
          ok: true,
          tenantId,
          deviceId,
          ...(hasBody && { contentDigest }),
          ...(askDirectory && { askDirectory }),
        };
      }
    }
    return unsigned(tried.has(null) ? 'what is covered cannot be computed here' : 'the signature is wrong');
  };
}

/** Faults that can be found without computing anything. */
function findFault(signature: DeviceSignature, hasBody: boolean, nowS: number): string | null {
  const { components, alg, created, expires = Infinity } = signature;
  const byCertificate = findAlgorithm(alg) !== undefined;
  const required = [
    '@method',
    '@path',
    ...(hasBody ? ['content-digest'] : []),
    ...(byCertificate ? [CERTIFICATE_FIELD] : []),
  ];
  if (!covers(components, required)) return `the signature must cover ${required.join(', ')}`;
  if (!Number.isInteger(created)) return 'created is missing';
  if (Math.abs(nowS - Number(created)) > CLOCK_TOLERANCE_S) return 'created is too far from now';
  return typeof expires !== 'number' || nowS > expires ? 'the signature has expired' : null;
}

type Mac = { groupKeys: readonly KeyObject[]; deviceId: string; base: string; mac: Uint8Array };

/**
 * Derives each device's key every time: cached key objects live outside the heap, and for a whole fleet caching costs more
 * than deriving. Node computes a MAC from a key object four times faster than from bytes.
 */
function isMac({ groupKeys, deviceId, base, mac }: Mac): boolean {
  return groupKeys.some((group) => {
    const key = createSecretKey(deriveDeviceKey(group, deviceId));
    // Node decodes header fields as Latin-1: one byte per character.
    return equal(createHmac('sha256', key).update(base, 'latin1').digest(), mac);
  });
}
