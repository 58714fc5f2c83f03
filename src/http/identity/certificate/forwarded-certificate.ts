// Reads a client certificate that a proxy forwards in a header field; its format is recognized by the value.
import { parseItem, parseList } from 'structured-headers';

/** Certificates in DER: the caller's own, and intermediates towards an authority, in any order. */
export type Chain = {
  leaf: Uint8Array;
  others: readonly Uint8Array[];
  /** All came in one list, in which only the caller's is not an authority's; otherwise two callers could share it. */
  isOneList: boolean;
};

type Headers = NodeJS.Dict<string[]>;

/**
 * Reads the header field. Its formats cannot be confused with each other:
 * - RFC 9440, `:base64:`, with the others in the field of that name and `-Chain`
 * - PEM, percent-encoded, the caller's first: nginx's `$ssl_client_escaped_cert`, the fields of AWS load balancers
 * - base64 of DER, separated by commas, the caller's first: Traefik, HAProxy's `ssl_c_der,base64`
 * - `Key=value;…`: Envoy's and Istio's X-Forwarded-Client-Cert
 * @param header its name in lower case
 * @returns null if it cannot be read, is repeated, or does not hold exactly one caller's certificate
 */
export function readForwarded(header: string, headers: Headers): Chain | null {
  const [value = '', ...more] = headers[header] ?? [];
  if (more.length > 0) return null;
  try {
    return read(value.trim(), headers[`${header}-chain`] ?? []);
  } catch {
    return null;
  }
}

function read(value: string, chain: readonly string[]): Chain | null {
  if (value.startsWith(':')) return readByteSequence(value, chain);
  // Base64 has equals signs only at its end.
  if (/^[A-Za-z]+=[^=,]/.test(value)) return readElements(value);
  const text = decodeURIComponent(value);
  return toChain(text.startsWith('-----') ? readPem(text) : readBase64List(text));
}

function readByteSequence(value: string, chain: readonly string[]): Chain | null {
  const leaf = toBytes(parseItem(value));
  // A list may be split over several fields.
  const others = (chain.length === 0 ? [] : parseList(chain.join(', '))).map(toBytes);
  if (!leaf || others.includes(null)) return null;
  return { leaf, others: others.filter((bytes) => bytes !== null), isOneList: false };
}

function toBytes([value]: readonly unknown[]): Uint8Array | null {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}

/**
 * In TLS a caller's own certificate comes first, and proxies keep that order. Whether the others belong to authorities is
 * checked when they are read.
 */
function toChain([leaf, ...others]: readonly Uint8Array[]): Chain | null {
  return leaf ? { leaf, others, isOneList: true } : null;
}

/** Spaces may have become plus signs. */
const PEM = /-----BEGIN[ +]CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END[ +]CERTIFICATE-----/g;

/** @throws Error if there is anything but certificates */
function readPem(text: string): Uint8Array[] {
  if (text.replaceAll(PEM, '').trim() !== '') throw new Error('there is more than certificates');
  return Array.from(text.matchAll(PEM), ([, base64 = '']) => readBase64(base64.replaceAll(/\s/g, '')));
}

const readBase64List = (text: string): Uint8Array[] => text.split(',').map((base64) => readBase64(base64.trim()));

/** @throws Error if it is not base64 */
function readBase64(base64: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new Error('no base64');
  return Buffer.from(base64, 'base64');
}

/** `key=value` and `key="quoted"`, separated by semicolons; a comma begins the element of the next hop. */
const PAIR = /\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))(;|,|$)/y;

/**
 * Each hop appends its element. The first one belongs to the hop the caller reached, so only it can contain the caller's
 * certificate; a certificate in a later one is a proxy's, or the first was forged. Later elements without one only name
 * further hops and are ignored.
 */
function readElements(value: string): Chain | null {
  const elements = [new Map<string, string>()];
  PAIR.lastIndex = 0;
  for (let separator = ';'; separator !== '';) {
    const match = PAIR.exec(value);
    if (!match) return null;
    const [, name = '', quoted, bare = '', next = ''] = match;
    const element = elements.at(-1);
    const key = name.toLowerCase();
    if (HOLDS_CERTIFICATES.includes(key) && element?.has(key)) return null;
    element?.set(key, quoted ?? bare);
    if (next === ',') elements.push(new Map());
    separator = next;
  }
  const [first = [], ...later] = elements.map((element) =>
    HOLDS_CERTIFICATES.flatMap((key) => readPem(decodeURIComponent(element.get(key) ?? ''))),
  );
  return later.some(({ length }) => length > 0) ? null : toChain(first);
}

/** The caller's alone, or its whole chain including its own. */
const HOLDS_CERTIFICATES = ['cert', 'chain'];
