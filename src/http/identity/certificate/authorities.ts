// The authorities that issue device certificates, and the path from a certificate up to one of them.
import 'reflect-metadata';

import { X509Certificate as Signed } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Chain } from './forwarded-certificate.ts';

/** A certificate parsed twice: Node verifies the signature, the library reads the extensions. */
export type Certificate = { signed: Signed; read: x509.X509Certificate };

export type Authorities = { pem: string; certificates: readonly Certificate[] };

/** The period in which every certificate on the path is valid. */
export type Path = { leaf: x509.X509Certificate; from: number; until: number };

const LONGEST_CHAIN = 6;
const LEAST_RSA_BITS = 2048;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** Critical extensions we handle: constraints, usages, names, and policies, none of which is required. */
const UNDERSTOOD = ['2.5.29.19', '2.5.29.15', '2.5.29.37', '2.5.29.17', '2.5.29.32'];

/** @throws Error if it is not PEM with authority certificates */
export function parseAuthorities([pem = '']: readonly string[]): Authorities {
  const blocks = x509.PemConverter.decode(pem);
  const certificates = blocks.map((der) => readCertificate(new Uint8Array(der)));
  if (certificates.length === 0) throw new Error('there is no certificate in it');
  if (!certificates.every(isAuthority)) throw new Error('a certificate in it is no authority’s');
  return { pem, certificates };
}

/** @throws Error if it is not exactly one certificate */
function readCertificate(der: Uint8Array): Certificate {
  const signed = new Signed(der);
  if (!signed.raw.equals(der)) throw new Error('there is more than a certificate');
  return { signed, read: new x509.X509Certificate(new Uint8Array(signed.raw)) };
}

/**
 * Finds the path from a certificate to an authority.
 * @returns the path with its validity period, or why there is none
 */
export function findPath(chain: Chain, { certificates: anchors }: Authorities): Path | string {
  if (chain.others.length >= LONGEST_CHAIN) return 'the certificate’s chain is too long';
  let leaf: Certificate;
  let others: Certificate[];
  try {
    leaf = readCertificate(chain.leaf);
    const read = chain.others.map(readCertificate);
    others = read.filter(isAuthority);
    if (!isClient(leaf)) return 'the certificate is not for a client';
    if (chain.isOneList && !read.every(isOf(leaf))) return 'the certificates are of more than one caller';
  } catch {
    return 'the certificate cannot be read';
  }
  const path = climb(leaf, [], others, anchors);
  if (!path) return 'the certificate is of no authority we know';
  const times = [leaf, ...path].map(({ read }) => timeOf(read));
  return {
    leaf: leaf.read,
    from: Math.max(...times.map(({ from }) => from)),
    until: Math.min(...times.map(({ until }) => until)),
  };
}

/** Whether another certificate may accompany a caller's: an authority's, or the caller's own repeated. */
const isOf =
  (leaf: Certificate) =>
  ({ signed }: Certificate): boolean =>
    signed.ca || signed.raw.equals(leaf.signed.raw);

export function timeOf({ notBefore, notAfter }: x509.X509Certificate): { from: number; until: number } {
  return { from: notBefore.getTime(), until: notAfter.getTime() };
}

/** @param below authorities between the certificate and here */
function climb(
  from: Certificate,
  below: readonly Certificate[],
  others: readonly Certificate[],
  anchors: readonly Certificate[],
): Certificate[] | null {
  const above = (candidate: Certificate) => mayStandAbove(candidate, below.length) && isIssuedBy(from, candidate);
  const anchor = anchors.find(above);
  if (anchor) return [...below, anchor];
  for (const next of others.filter((other) => !below.includes(other) && above(other))) {
    const path = climb(next, [...below, next], others, anchors);
    if (path) return path;
  }
  return null;
}

function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return certificate.signed.checkIssued(issuer.signed) && certificate.signed.verify(issuer.signed.publicKey);
}

function mayStandAbove({ read }: Certificate, authoritiesBelow: number): boolean {
  const { pathLength } = read.getExtension(x509.BasicConstraintsExtension) ?? {};
  return pathLength === undefined || authoritiesBelow <= pathLength;
}

/** Whether it may sign certificates is checked along with what it signed. */
function isAuthority(certificate: Certificate): boolean {
  return certificate.signed.ca && isSound(certificate);
}

function isClient(certificate: Certificate): boolean {
  const purposes = certificate.read.getExtension(x509.ExtendedKeyUsageExtension)?.usages;
  const usages = certificate.read.getExtension(x509.KeyUsagesExtension)?.usages;
  const signs = usages === undefined || (usages & x509.KeyUsageFlags.digitalSignature) !== 0;
  const forClients = purposes?.includes(CLIENT_AUTH) ?? true;
  return !certificate.signed.ca && forClients && signs && isSound(certificate);
}

function isSound({ signed, read }: Certificate): boolean {
  const { hash } = read.signatureAlgorithm as { hash?: { name: string } };
  const bits = signed.publicKey.asymmetricKeyDetails?.modulusLength ?? LEAST_RSA_BITS;
  const understood = read.extensions.every(({ critical, type }) => !critical || UNDERSTOOD.includes(type));
  return understood && bits >= LEAST_RSA_BITS && (hash === undefined || /^SHA-(256|384|512)$/.test(hash.name));
}
