// Parses the signature headers: with a regular expression if they have the documented form, otherwise as RFC 8941 structures.
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parseDictionary, serializeInnerList } from 'structured-headers';
import { deviceIdSchema } from '../../../domain/submission/run-result.ts';
import { DEFAULT_TENANT } from '../../../config/tenants/tenant.ts';
import { equal } from '../constant-time.ts';
import type { DeviceName } from '../proof.ts';
import { joined, type Component, type Parameters } from './signed-components.ts';

/** A device's signature, as described by the headers. */
export type DeviceSignature = {
  /** The covered components, in order. */
  components: readonly Component[];
  /** As in the key id `contoso/LAPTOP-0042`; a bare device id means the default tenant. */
  tenantId: string;
  deviceId: string;
  alg: unknown;
  created: unknown;
  expires: unknown;
  /** The value of `@signature-params`. */
  parameters: string;
  bytes: Uint8Array;
};

/** The signature, or why there is none; `isOthers` if every signature clearly belongs to something other than a device. */
export type ReadHeaders = { ok: true; signature: DeviceSignature } | { ok: false; reason: string; isOthers?: boolean };

/** The RFC 8941 structures used here; the library's own types do not resolve. */
type InnerList = [components: [name: unknown, Parameters][], Parameters];
type Dictionary = ReadonlyMap<string, [value: unknown, Parameters]>;

/** The device's own signature and those added by proxies. */
const MOST_SIGNATURES = 8;

/** The documented form, with any label. A header sent twice contains a comma and does not match. */
const PLAIN_INPUT =
  /^([a-z*][a-z0-9_.*-]{0,63})=(\("@method" "@path"( "content-digest")?\);created=([1-9]\d{0,14});keyid="(?:([a-z0-9-]{1,40})\/)?([\w.-]{1,128})";alg="(hmac-sha256)")$/;
const PLAIN_SIGNATURE = /^([a-z*][a-z0-9_.*-]{0,63})=:([A-Za-z0-9+/]{43}=):$/;
const NONE: Parameters = new Map();
const WITHOUT_BODY = ['@method', '@path'].map((name): Component => ({ name, parameters: NONE }));
const WITH_BODY = [...WITHOUT_BODY, { name: 'content-digest', parameters: NONE }];

/**
 * Finds the device's signature: the first whose key id is a device id. Proxies' key ids may look like one with a tenant.
 * @param isTenant whether a tenant of this id is served
 */
export function readSignedHeaders(headers: IncomingMessage['headers'], isTenant: (id: string) => boolean): ReadHeaders {
  const plain = readPlainly(headers);
  if (plain && isTenant(plain.tenantId)) return { ok: true, signature: plain };
  const [inputText, signatureText] = [joined(headers, 'signature-input'), joined(headers, 'signature')];
  if (inputText === undefined || signatureText === undefined) {
    return { ok: false, reason: 'a signature header is missing' };
  }
  const [inputs, signatures] = [readDictionary(inputText), readDictionary(signatureText)];
  if (!inputs || !signatures) return { ok: false, reason: 'the signature headers cannot be read' };
  if (Math.max(inputs.size, signatures.size) > MOST_SIGNATURES) {
    return { ok: false, reason: `there are more than ${MOST_SIGNATURES} signatures` };
  }
  const all = Array.from(inputs).flatMap(([label, input]) => readSignature(input, signatures.get(label)?.[0]) ?? []);
  for (const { keyId, ...signature } of all) {
    const device = readKeyId(keyId, isTenant);
    if (device) return { ok: true, signature: { ...signature, ...device } };
  }
  const isOthers = !Array.from(inputs.values()).some(([, parameters]) => readKeyId(parameters.get('keyid'), isTenant));
  return { ok: false, reason: all.length === 0 ? 'no signature is complete' : 'keyid is no device id', isOthers };
}

function readPlainly(headers: IncomingMessage['headers']): DeviceSignature | null {
  const [input = '', signature = ''] = [joined(headers, 'signature-input'), joined(headers, 'signature')];
  const [, label, parameters, digest, created, tenantId = DEFAULT_TENANT, deviceId, alg] =
    PLAIN_INPUT.exec(input) ?? [];
  const [, sameLabel, base64] = PLAIN_SIGNATURE.exec(signature) ?? [];
  if (parameters === undefined || deviceId === undefined || base64 === undefined || label !== sameLabel) return null;
  return {
    components: digest === undefined ? WITHOUT_BODY : WITH_BODY,
    tenantId,
    deviceId,
    alg,
    created: Number(created),
    expires: undefined,
    parameters,
    bytes: Buffer.from(base64, 'base64'),
  };
}

type AnySignature = Omit<DeviceSignature, 'tenantId' | 'deviceId'> & { keyId: unknown };

/** Null if a label has no signature, or one in another form: signatures added by others do not invalidate ours. */
function readSignature(input: Dictionary extends ReadonlyMap<string, infer Member> ? Member : never, bytes: unknown) {
  if (!isInnerList(input) || !(bytes instanceof ArrayBuffer)) return null;
  const [items, parameters] = input;
  const signature: AnySignature = {
    components: items.map(([name, own]) => ({ name, parameters: own })),
    keyId: parameters.get('keyid'),
    alg: parameters.get('alg'),
    created: parameters.get('created'),
    expires: parameters.get('expires'),
    parameters: serializeInnerList(input as never),
    bytes: Buffer.from(bytes),
  };
  return signature;
}

const KEY_ID = /^(?:([a-z0-9-]{1,40})\/)?(.*)$/s;

/** Null if it is no device's. */
function readKeyId(keyId: unknown, isTenant: (id: string) => boolean): DeviceName | null {
  if (typeof keyId !== 'string') return null;
  const [, tenantId = DEFAULT_TENANT, deviceId] = KEY_ID.exec(keyId) ?? [];
  const parsed = deviceIdSchema.safeParse(deviceId);
  return parsed.success && isTenant(tenantId) ? { tenantId, deviceId: parsed.data } : null;
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

/** Whether a Content-Digest matches a body: its sha-256 must; other digests are ignored. */
export function digestMatches(contentDigest: string, body: Buffer): boolean {
  if (contentDigest === `sha-256=:${hash('sha256', body, 'base64')}:`) return true;
  const digest = readDictionary(contentDigest)?.get('sha-256')?.[0];
  return digest instanceof ArrayBuffer && equal(Buffer.from(digest), hash('sha256', body, 'buffer'));
}
