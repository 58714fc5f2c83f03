// Whether a device signed a request: RFC 9421 with hmac-sha256, over the RFC 9530 digest of its body.
import { createHmac, createSecretKey } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { deriveDeviceKey } from '../../domain/device-key.ts';
import { deviceIdSchema } from '../../domain/run-result.ts';
import { equal } from './constant-time.ts';
import { readSignedHeaders, type SignedHeaders } from './signed-headers.ts';

/** A device's clock may be off by this much. */
const CLOCK_TOLERANCE_S = 300;
const ALGORITHM = 'hmac-sha256';

export type SignedRequest = {
  request: Pick<IncomingMessage, 'method' | 'headers' | 'headersDistinct'>;
  /** As it came over the wire: path and query, or the absolute form that proxies may send. */
  url: string;
  /** Whether the digest of a body must be covered. The body is held against it once it is there. */
  hasBody: boolean;
};

/**
 * The device that proved itself, and the Content-Digest it signed, if any; or why it is not known: the reason goes to
 * the log, callers all hear the same.
 */
export type Proof = { ok: true; deviceId: string; contentDigest?: string } | { ok: false; reason: string };

const unsigned = (reason: string): Proof => ({ ok: false, reason });

/**
 * Makes the check of device signatures. The structures are read by a library, the rest is here: one that does all of
 * it takes several times as long, on the path of every submission. A test holds the two against each other.
 * @param groupKeys decoded group keys; a signature under any of them is good
 */
export function createVerifySignature(
  groupKeys: readonly Uint8Array[],
  clock: () => number,
): (request: SignedRequest) => Proof {
  const verifyMac = createVerifyMac(groupKeys);
  return ({ request, url, hasBody }) => {
    const covered = ['@method', '@path', ...(hasBody ? ['content-digest'] : [])];
    const read = readSignedHeaders(request, hasBody);
    if (!read.ok) return read;
    const { components, alg, created, expires = Infinity, keyid, parameters, mac, contentDigest } = read.headers;
    if (!covers(components, covered)) return unsigned(`the signature must cover exactly ${covered.join(', ')}`);
    if (alg !== ALGORITHM) return unsigned('the algorithm is not hmac-sha256');
    const nowS = clock() / 1000;
    if (!Number.isInteger(created)) return unsigned('created is missing');
    if (Math.abs(nowS - Number(created)) > CLOCK_TOLERANCE_S) return unsigned('created is too far from now');
    if (typeof expires !== 'number' || nowS > expires) return unsigned('the signature has expired');
    const deviceId = deviceIdSchema.safeParse(keyid);
    if (!deviceId.success) return unsigned('keyid is no device id');
    const path = pathOf(url);
    if (path === null) return unsigned('the address cannot be read');
    const values: Record<string, string> = {
      '@method': request.method ?? '',
      '@path': path,
      'content-digest': contentDigest,
    };
    const base = components.map((name) => `"${name ?? ''}": ${values[name ?? ''] ?? ''}\n`).join('');
    return verifyMac(deviceId.data, `${base}"@signature-params": ${parameters}`, mac)
      ? { ok: true, deviceId: deviceId.data, ...(hasBody && { contentDigest }) }
      : unsigned('the signature is wrong');
  };
}

function covers(components: SignedHeaders['components'], covered: string[]): boolean {
  return components.length === covered.length && covered.every((component) => components.includes(component));
}

/** Such a path is as it is, whoever reads it. */
const PLAIN_PATH = /^(?:\/[\w-]+)+$/;

function pathOf(url: string): string | null {
  if (PLAIN_PATH.test(url)) return url;
  return URL.parse(url.startsWith('/') ? `http://device${url}` : url)?.pathname ?? null;
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
      return equal(createHmac('sha256', key).update(base).digest(), mac);
    });
}
