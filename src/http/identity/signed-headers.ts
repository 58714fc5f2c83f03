// What a request's signature headers say: read at a glance where they are written plainly, else as RFC 8941 structures.
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parseDictionary, serializeInnerList } from 'structured-headers';
import { equal } from './constant-time.ts';

export type SignedHeaders = {
  /** Names of what is covered, in order; null for one that is not covered as it is. */
  components: (string | null)[];
  alg: unknown;
  created: unknown;
  expires: unknown;
  keyid: unknown;
  /** As `@signature-params` is signed. */
  parameters: string;
  mac: Uint8Array;
  contentDigest: string;
};

/** Read, or why not. */
export type ReadHeaders = { ok: true; headers: SignedHeaders } | { ok: false; reason: string };

/** RFC 8941 structures, as far as they are used here; the library's own types do not resolve. */
type Parameters = ReadonlyMap<string, unknown>;
type InnerList = [components: [name: unknown, Parameters][], Parameters];
type Dictionary = ReadonlyMap<string, [value: unknown, Parameters]>;

const LABEL = 'device';

/** What devices send that follow the description to the letter; sent twice, a header has a comma in it and is not this. */
const PLAIN_INPUT =
  /^device=(\("@method" "@path"( "content-digest")?\);created=([1-9]\d{0,14});keyid="([\w.-]{1,128})";alg="(hmac-sha256)")$/;
const PLAIN_SIGNATURE = /^device=:([A-Za-z0-9+/]{43}=):$/;

export function readSignedHeaders(
  req: Pick<IncomingMessage, 'headers' | 'headersDistinct'>,
  withDigest: boolean,
): ReadHeaders {
  const plain = readPlainly(req.headers);
  if (plain) return { ok: true, headers: plain };
  const names = ['signature', 'signature-input', ...(withDigest ? ['content-digest'] : [])];
  const values = names.map((name) => req.headersDistinct[name] ?? []);
  if (!values.every(({ length }) => length === 1)) {
    return { ok: false, reason: 'a signature header is missing or comes twice' };
  }
  const [signature = '', input = '', contentDigest = ''] = values.map(([value = '']) => value.trim());
  const read = readStructures(input, signature);
  if (!read) return { ok: false, reason: 'the signature headers cannot be read, or hold other than one signature' };
  return { ok: true, headers: { ...read, contentDigest } };
}

/** A digest is needed wherever one is covered; where none is, the long way says what is missing. */
function readPlainly(headers: IncomingMessage['headers']): SignedHeaders | null {
  const { signature, 'signature-input': input, 'content-digest': contentDigest } = headers;
  if (typeof signature !== 'string' || typeof input !== 'string' || typeof contentDigest !== 'string') return null;
  if (/[\s,]/.test(contentDigest)) return null;
  const mac = PLAIN_SIGNATURE.exec(signature)?.[1];
  const [, parameters, digest, created, keyid, alg] = PLAIN_INPUT.exec(input) ?? [];
  if (mac === undefined || parameters === undefined || digest === undefined) return null;
  const components = ['@method', '@path', 'content-digest'];
  const expires = undefined;
  const instant = Number(created);
  return {
    components,
    alg,
    created: instant,
    expires,
    keyid,
    parameters,
    mac: Buffer.from(mac, 'base64'),
    contentDigest,
  };
}

function readStructures(inputText: string, signatureText: string): Omit<SignedHeaders, 'contentDigest'> | null {
  const input = readDictionary(inputText);
  const signature = readDictionary(signatureText);
  const member = input?.get(LABEL);
  const mac = signature?.get(LABEL)?.[0];
  if (input?.size !== 1 || signature?.size !== 1 || !member || !isInnerList(member)) return null;
  if (!(mac instanceof ArrayBuffer)) return null;
  const [items, parameters] = member;
  return {
    components: items.map(([name, own]) => (own.size === 0 && typeof name === 'string' ? name : null)),
    alg: parameters.get('alg'),
    created: parameters.get('created'),
    expires: parameters.get('expires'),
    keyid: parameters.get('keyid'),
    parameters: serializeInnerList(member as never),
    mac: Buffer.from(mac),
  };
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

/** Whether a Content-Digest is that of a body: its sha-256 is, whatever other digests it has. */
export function digestMatches(contentDigest: string, body: Buffer): boolean {
  if (contentDigest === `sha-256=:${hash('sha256', body, 'base64')}:`) return true;
  const digest = readDictionary(contentDigest)?.get('sha-256')?.[0];
  return digest instanceof ArrayBuffer && equal(Buffer.from(digest), hash('sha256', body, 'buffer'));
}
