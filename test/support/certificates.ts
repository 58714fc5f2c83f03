// Authorities and certificates for tests, valid ones and every kind of invalid one.
import 'reflect-metadata';

import { KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const CLIENT_AUTH = x509.ExtendedKeyUsage.clientAuth;

/** Key usages. */
export const USAGES = {
  sign: x509.KeyUsageFlags.digitalSignature,
  encrypt: x509.KeyUsageFlags.keyEncipherment,
  all: (x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign) as x509.KeyUsageFlags,
};

export type Made = { pem: string; keyPem: string; der: Buffer };

export type Asked = {
  subject?: string;
  /** Alternative names. */
  names?: { type: 'dns' | 'url'; value: string }[];
  /** Null omits the extended key usage. */
  purposes?: string[] | null;
  usages?: x509.KeyUsageFlags;
  notBefore?: Date;
  notAfter?: Date;
  extensions?: x509.Extension[];
  algorithm?:
    | typeof EC
    | { name: 'Ed25519' }
    | { name: 'RSASSA-PKCS1-v1_5'; hash: string; publicExponent: Uint8Array; modulusLength: number };
  /** Of any kind Node knows; for certificates that an authority signs. */
  keys?: { publicKey: KeyObject; privateKey: KeyObject };
};

export type AskedAuthority = Asked & { pathLength?: number; isAuthority?: boolean };

export type Authority = Made & {
  issue: (asked?: Asked) => Promise<Made>;
  /** An intermediate authority. */
  below: (asked?: AskedAuthority) => Promise<Authority>;
};

type Signer = { key: webcrypto.CryptoKey; certificate: x509.X509Certificate };

export async function createAuthority(asked: AskedAuthority = {}): Promise<Authority> {
  return authority(null, { subject: 'CN=Devices Root', ...asked });
}

async function authority(signer: Signer | null, asked: AskedAuthority): Promise<Authority> {
  const { pathLength, isAuthority = true, usages = x509.KeyUsageFlags.keyCertSign } = asked;
  const { made, key, certificate } = await make(signer, { purposes: null, ...asked, usages }, [
    new x509.BasicConstraintsExtension(isAuthority, pathLength, true),
  ]);
  const own: Signer = { key, certificate };
  return {
    ...made,
    issue: async (wanted = {}) =>
      (await make(own, wanted, [new x509.BasicConstraintsExtension(false, undefined, true)])).made,
    below: (wanted = {}) => authority(own, { subject: 'CN=Devices Issuing', ...wanted }),
  };
}

async function make(signer: Signer | null, asked: Asked, constraints: x509.Extension[]) {
  const {
    subject = 'CN=BER-LAT-0001',
    names = [],
    purposes = [CLIENT_AUTH],
    usages = x509.KeyUsageFlags.digitalSignature,
    notBefore = new Date(Date.now() - DAY_MS),
    notAfter = new Date(Date.now() + DAY_MS),
    extensions = [],
    algorithm = EC,
    keys: given,
  } = asked;
  const generated = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const keys = 'publicKey' in generated ? generated : null;
  if (!keys) throw new Error('not a pair of keys');
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    subject,
    issuer: signer?.certificate.subject ?? subject,
    publicKey: given ? new Uint8Array(given.publicKey.export({ type: 'spki', format: 'der' })) : keys.publicKey,
    signingKey: signer?.key ?? keys.privateKey,
    signingAlgorithm: (signer?.key ?? keys.privateKey).algorithm.name === 'ECDSA' ? EC : algorithm,
    notBefore,
    notAfter,
    extensions: [
      ...constraints,
      new x509.KeyUsagesExtension(usages, true),
      ...(purposes ? [new x509.ExtendedKeyUsageExtension(purposes)] : []),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ...extensions,
    ],
  });
  const made: Made = {
    pem: `${certificate.toString('pem')}\n`,
    keyPem: (given?.privateKey ?? KeyObject.from(keys.privateKey)).export({ type: 'pkcs8', format: 'pem' }).toString(),
    der: new X509Certificate(certificate.toString('pem')).raw,
  };
  return { made, key: keys.privateKey, certificate };
}

/** An extension with this value; an Intune id contains its GUID, the first three groups little-endian. */
export function extension(oid: string, value: Uint8Array, critical = false): x509.Extension {
  return new x509.Extension(oid, critical, new Uint8Array(value));
}

export function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', ...rest] = guid.split('-');
  const little = (hex: string) => Buffer.from(hex, 'hex').reverse();
  return Buffer.concat([little(a), little(b), little(c), Buffer.from(rest.join(''), 'hex')]);
}

/** In the formats of proxies. */
export const clientCert = ({ der }: Made) => `:${der.toString('base64')}:`;
export const forwardedClientCert = ({ der, pem }: Made, more = '') =>
  `Hash=${new X509Certificate(der).fingerprint256.replaceAll(':', '').toLowerCase()};Cert="${encodeURIComponent(pem)}";Subject="CN=a \\"quoted\\" one, and a comma;semicolon"${more}`;
