// Who is calling: a device by its signed request (RFC 9421, RFC 9530), an operator by a bearer token.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { httpbis } from 'http-message-signatures';
import { parseDictionary } from 'structured-headers';
import { deriveDeviceKey } from '../domain/device-key.ts';
import { deviceIdSchema } from '../domain/run-result.ts';

/** A device's clock may be off by this much. */
const CLOCK_TOLERANCE_S = 300;
const LABEL = 'device';
const ALGORITHM = 'hmac-sha256';

export type SignedRequest = Pick<IncomingMessage, 'method' | 'headersDistinct'> & {
  /** As it came over the wire: path and query, or the absolute form that proxies may send. */
  url: string;
  /** Null where the method has none. */
  body: Buffer | null;
};

/** The device that signed a request, or why it is not known; the reason goes to the log, callers all hear the same. */
export type Signer = { ok: true; deviceId: string } | { ok: false; reason: string };

export type VerifyDevice = (request: SignedRequest) => Promise<Signer>;

/** RFC 8941 structures, as far as they are used here; the library's own types do not resolve. */
type Parameters = ReadonlyMap<string, unknown>;
type InnerList = [components: [name: unknown, Parameters][], Parameters];
type Dictionary = ReadonlyMap<string, [value: unknown, Parameters]>;

const unsigned = (reason: string): Signer => ({ ok: false, reason });

/**
 * Makes the check of device signatures.
 * @param groupKeys decoded group keys; a signature under any of them is good
 */
export function createVerifyDevice(groupKeys: readonly Uint8Array[], clock: () => number): VerifyDevice {
  return async ({ method = '', url, headersDistinct, body }) => {
    const headers = onlyHeaders(headersDistinct, ['signature', 'signature-input', ...(body ? ['content-digest'] : [])]);
    if (!headers) return unsigned('a signature header is missing or comes twice');
    const input = parseInput(headers);
    if (!input) return unsigned('the signature headers cannot be read, or hold other than one signature');
    const covered = ['@method', '@path', ...(body ? ['content-digest'] : [])];
    if (!covers(input, covered)) return unsigned(`the signature must cover exactly ${covered.join(', ')}`);
    const [, parameters] = input;
    if (parameters.get('alg') !== ALGORITHM) return unsigned('the algorithm is not hmac-sha256');
    const created = parameters.get('created');
    if (!Number.isInteger(created)) return unsigned('created is missing');
    if (Math.abs(clock() / 1000 - Number(created)) > CLOCK_TOLERANCE_S) return unsigned('created is too far from now');
    const deviceId = deviceIdSchema.safeParse(parameters.get('keyid'));
    if (!deviceId.success) return unsigned('keyid is no device id');
    if (body && !digestMatches(headers['content-digest'] ?? '', body)) return unsigned('the digest is not the body’s');
    const target = url.startsWith('/') ? `http://device${url}` : url;
    const verified = await verify({ method, url: target, headers }, deviceId.data, groupKeys);
    return verified ? { ok: true, deviceId: deviceId.data } : unsigned('the signature is wrong');
  };
}

type Headers = Record<string, string>;

/** These headers, each sent exactly once; null where one is not. */
function onlyHeaders(distinct: NodeJS.Dict<string[]>, names: string[]): Headers | null {
  const headers = names.map((name) => [name, distinct[name] ?? []] as const);
  if (headers.some(([, values]) => values.length !== 1)) return null;
  return Object.fromEntries(headers.map(([name, values]) => [name, values[0] ?? '']));
}

function parseInput(headers: Headers): InnerList | null {
  const input = readDictionary(headers['signature-input'] ?? '');
  const signature = readDictionary(headers['signature'] ?? '');
  const member = input?.get(LABEL);
  if (input?.size !== 1 || signature?.size !== 1 || !member || !isInnerList(member)) return null;
  return signature.get(LABEL)?.[0] instanceof ArrayBuffer ? member : null;
}

function isInnerList(member: [unknown, Parameters]): member is InnerList {
  return Array.isArray(member[0]);
}

function readDictionary(text: string): Dictionary | null {
  try {
    return parseDictionary(text) as Dictionary;
  } catch {
    return null;
  }
}

function covers([items]: InnerList, components: string[]): boolean {
  const names = items.map(([name, parameters]) => (parameters.size === 0 ? name : null));
  return names.length === components.length && components.every((component) => names.includes(component));
}

function digestMatches(header: string, body: Buffer): boolean {
  const digest = readDictionary(header)?.get('sha-256')?.[0];
  if (!(digest instanceof ArrayBuffer)) return false;
  return equal(Buffer.from(digest), createHash('sha256').update(body).digest());
}

async function verify(
  request: { method: string; url: string; headers: Headers },
  deviceId: string,
  groupKeys: readonly Uint8Array[],
): Promise<boolean> {
  const key = {
    id: deviceId,
    algs: [ALGORITHM],
    verify: (base: Buffer, signature: Buffer) =>
      Promise.resolve(
        groupKeys.some((groupKey) =>
          equal(createHmac('sha256', deriveDeviceKey(groupKey, deviceId)).update(base).digest(), signature),
        ),
      ),
  };
  try {
    const verified = await httpbis.verifyMessage(
      // How old it may be was decided above, by our clock; the library would ask its own.
      { keyLookup: () => Promise.resolve(key), notAfter: Number.MAX_SAFE_INTEGER },
      request,
    );
    return verified === true;
  } catch {
    return false;
  }
}

/** Makes the check of the operators' bearer token. */
export function createVerifyOperator(token: string): (authorization: string | undefined) => boolean {
  const expected = hash(token);
  return (authorization) => {
    const given = /^Bearer ([^\s]+)$/i.exec(authorization ?? '')?.[1];
    return given !== undefined && equal(hash(given), expected);
  };
}

const hash = (text: string) => createHash('sha256').update(text).digest();

/** Compares in a time that tells nothing of where they differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
