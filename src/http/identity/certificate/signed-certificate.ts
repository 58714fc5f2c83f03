// Reads the certificate that a device signs with, from the header fields Device-Certificate and Device-Certificate-Chain.
import type { IncomingMessage } from 'node:http';
import type { Chain } from './forwarded-certificate.ts';

export const CERTIFICATE_FIELD = 'device-certificate';
const CHAIN_FIELD = 'device-certificate-chain';

/** One RFC 8941 byte sequence without parameters. */
const BYTES = /^:([A-Za-z0-9+/]+={0,2}):$/;
const BETWEEN = /[ \t]*,[ \t]*/;

/**
 * Node joins repeated fields with commas: of the certificate there may be only one, so that is refused; a chain is a list and
 * may be split. Base64 must be written in the one way an encoder writes it, so that the same bytes are always the same text.
 * @returns null if it cannot be read
 */
export function readSignedCertificate(headers: IncomingMessage['headers']): Chain | null {
  const leaf = readBytes(headers[CERTIFICATE_FIELD]);
  const list = headers[CHAIN_FIELD] ?? '';
  const others = list === '' ? [] : String(list).split(BETWEEN).map(readBytes);
  if (!leaf || others.includes(null)) return null;
  return { leaf, others: others.filter((bytes) => bytes !== null), isOneList: false };
}

function readBytes(value: unknown): Uint8Array | null {
  const [, base64] = typeof value === 'string' ? (BYTES.exec(value.trim()) ?? []) : [];
  if (base64 === undefined) return null;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : null;
}
