// One certificate: what it says, and whether its key, signature and extensions are of a kind we accept.
import 'reflect-metadata';

import { X509Certificate as Signed, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/**
 * Parsed by Node, which is fast and verifies signatures, and by a library that reads every extension but takes ten times as
 * long: so only certificates that one of our authorities signed get that far.
 */
export type Certificate = { signed: Signed; publicKey: KeyObject; read: () => x509.X509Certificate };

/** Larger keys take long to verify, and exponents of their own choice even longer; an exponent of 1 verifies anything. */
const RSA = { leastBits: 2048, mostBits: 8192, leastExponent: 3n, mostExponent: 2n ** 32n };
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const EXTENSION = { constraints: '2.5.29.19', usage: '2.5.29.15', purposes: '2.5.29.37', nameConstraints: '2.5.29.30' };
/** Critical extensions we handle: constraints, usages, names, and policies, none of which is required. */
const UNDERSTOOD = [EXTENSION.constraints, EXTENSION.usage, EXTENSION.purposes, '2.5.29.17', '2.5.29.32'];
const RSASSA_PSS = '1.2.840.113549.1.1.10';
/** RSA and ECDSA with SHA-256, SHA-384 and SHA-512, Ed25519 and Ed448; for PSS the hash is a parameter. */
const STRONG_SIGNATURES = [
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
  '1.3.101.113',
  RSASSA_PSS,
];

/** @throws Error if it is not exactly one certificate in DER, with a key that can be read */
export function readCertificate(der: Uint8Array): Certificate {
  const signed = new Signed(der);
  if (!signed.raw.equals(der)) throw new Error('there is more than a certificate');
  let read: x509.X509Certificate | undefined;
  return {
    signed,
    publicKey: signed.publicKey,
    read: () => (read ??= new x509.X509Certificate(new Uint8Array(signed.raw))),
  };
}

/** An authority's certificate that we can follow. Whether it may sign certificates is checked along with what it signed. */
export function isAuthority(certificate: Certificate): boolean {
  // We do not compare names with constraints, so an authority with any, critical or not, leads nowhere.
  const isBounded = certificate.read().extensions.some(({ type }) => type === EXTENSION.nameConstraints);
  return certificate.signed.ca && !isBounded && isSound(certificate);
}

/** What shows that a certificate is not a client's without reading its extensions. */
export function mayBeClient({ signed, publicKey }: Certificate): boolean {
  const forClients = (signed.keyUsage as readonly string[] | undefined)?.includes(CLIENT_AUTH) ?? true;
  return !signed.ca && forClients && isStrongKey(publicKey);
}

/** A client's certificate, whose extensions we understand. */
export function isClient(certificate: Certificate): boolean {
  const read = certificate.read();
  const purposes = read.getExtension(x509.ExtendedKeyUsageExtension)?.usages;
  const usages = read.getExtension(x509.KeyUsagesExtension)?.usages;
  const signs = usages === undefined || (usages & x509.KeyUsageFlags.digitalSignature) !== 0;
  const forClients = purposes?.includes(CLIENT_AUTH) ?? true;
  return mayBeClient(certificate) && forClients && signs && isSound(certificate);
}

function isSound(certificate: Certificate): boolean {
  const { extensions } = certificate.read();
  const understood = extensions.every(({ critical, type }) => !critical || UNDERSTOOD.includes(type));
  return understood && isStrongKey(certificate.publicKey) && isStronglySigned(certificate);
}

/** Curves are as strong as they are; one without a name could be any. Keys of other kinds sign nothing here. */
function isStrongKey({ asymmetricKeyType: type, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails;
  if (type === 'ec') return namedCurve !== undefined;
  if (type === 'ed25519' || type === 'ed448') return true;
  if (type !== 'rsa' && type !== 'rsa-pss') return false;
  const isExponent = publicExponent >= RSA.leastExponent && publicExponent <= RSA.mostExponent;
  return modulusLength >= RSA.leastBits && modulusLength <= RSA.mostBits && isExponent;
}

export function isStronglySigned({ signed, read }: Certificate): boolean {
  if (!STRONG_SIGNATURES.includes(signed.signatureAlgorithmOid)) return false;
  if (signed.signatureAlgorithmOid !== RSASSA_PSS) return true;
  const { hash } = read().signatureAlgorithm as { hash?: { name: string } };
  return /^SHA-(256|384|512)$/.test(hash?.name ?? '');
}
