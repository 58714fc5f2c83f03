// A client certificate as a proxy passes it on: RFC 9440's Client-Cert, or Envoy's X-Forwarded-Client-Cert.
import { parseItem, parseList } from 'structured-headers';
import type { ClientCertHeader } from '../../identity-config.ts';

/** Certificates in DER: the caller's own, and those that lead from it towards an authority, in no order. */
export type Chain = { leaf: Uint8Array; others: readonly Uint8Array[] };

type Headers = NodeJS.Dict<string[]>;

/**
 * Reads the header field and, for Client-Cert, Client-Cert-Chain.
 * @returns null where it cannot be read, or holds other than one caller's certificate
 */
export function readForwarded(header: ClientCertHeader, headers: Headers): Chain | null {
  const [value = '', ...more] = headers[header] ?? [];
  if (more.length > 0) return null;
  try {
    return header === 'client-cert'
      ? readClientCert(value, headers['client-cert-chain'] ?? [])
      : readForwardedClientCert(value);
  } catch {
    return null;
  }
}

function readClientCert(value: string, chain: readonly string[]): Chain | null {
  const leaf = toBytes(parseItem(value));
  // A list may be split over several fields.
  const others = (chain.length === 0 ? [] : parseList(chain.join(', '))).map(toBytes);
  if (!leaf || others.includes(null)) return null;
  return { leaf, others: others.filter((bytes) => bytes !== null) };
}

function toBytes([value]: readonly unknown[]): Uint8Array | null {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}

/** `key=value` and `key="quoted"`, separated by semicolons; a comma would begin the certificate of another hop. */
const PAIR = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))(;|,|$)/y;

function readForwardedClientCert(value: string): Chain | null {
  const fields = new Map<string, string>();
  PAIR.lastIndex = 0;
  for (let separator = ';'; separator !== '';) {
    const match = separator === ';' ? PAIR.exec(value) : null;
    if (!match) return null;
    const [, name = '', quoted, bare = '', next = ''] = match;
    fields.set(name.toLowerCase(), quoted ?? bare);
    separator = next;
  }
  const [leaf, ...rest] = [...readPem(fields.get('cert')), ...readPem(fields.get('chain'))];
  return leaf ? { leaf, others: rest } : null;
}

/** PEM, percent-encoded, as Envoy writes it. */
function readPem(encoded = ''): Uint8Array[] {
  const blocks = decodeURIComponent(encoded).matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return Array.from(blocks, ([, base64 = '']) => Buffer.from(base64, 'base64'));
}
