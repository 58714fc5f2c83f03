// The authorities that issue device certificates, and the path from one of them down to a certificate.
import 'reflect-metadata';

import * as x509 from '@peculiar/x509';
import {
  isAuthority,
  isClient,
  isStronglySigned,
  mayBeClient,
  readCertificate,
  type Certificate,
} from './certificate.ts';
import type { Chain } from './forwarded-certificate.ts';

export type Authorities = { pem: string; certificates: readonly Certificate[] };

/** The period in which every certificate on the path is valid. */
export type Path = { leaf: Certificate; from: number; until: number };

/** An authority we can follow, and how many more authorities may stand below it. */
type Trusted = { certificate: Certificate; room: number; from: number; until: number };

const LONGEST_CHAIN = 6;

/** @throws Error if it is not PEM with authority certificates */
export function parseAuthorities([pem = '']: readonly string[]): Authorities {
  const blocks = x509.PemConverter.decode(pem);
  const certificates = blocks.map((der) => readCertificate(new Uint8Array(der)));
  if (certificates.length === 0) throw new Error('there is no certificate in it');
  if (!certificates.every(isAuthority)) throw new Error('a certificate in it is no authority’s');
  return { pem, certificates };
}

/**
 * Finds the path from an authority to a certificate. It is built from the authority down, so that only keys already trusted
 * verify anything: a caller cannot have us work with keys and extensions of its own making.
 * @returns the path with its validity period, or why there is none
 */
export function findPath(chain: Chain, { certificates: anchors }: Authorities): Path | string {
  if (chain.others.length >= LONGEST_CHAIN) return 'the certificate’s chain is too long';
  try {
    const leaf = readCertificate(chain.leaf);
    const others = chain.others.map(readCertificate);
    if (!mayBeClient(leaf) || !isStronglySigned(leaf)) return NOT_CLIENT;
    if (chain.isOneList && !others.every(isOf(leaf))) return 'the certificates are of more than one caller';
    const issuer = longest(issuersOf(leaf, descend(anchors.map(toAnchor), others)));
    if (!issuer) return 'the certificate is of no authority we know';
    return isClient(leaf) ? { leaf, ...within(issuer, leaf) } : NOT_CLIENT;
  } catch {
    return 'the certificate cannot be read';
  }
}

export const NOT_CLIENT = 'the certificate is not for a client';

/** Whether another certificate may accompany a caller's: an authority's, or the caller's own repeated. */
const isOf =
  (leaf: Certificate) =>
  ({ signed }: Certificate): boolean =>
    signed.ca || signed.raw.equals(leaf.signed.raw);

const toAnchor = (certificate: Certificate): Trusted => ({
  certificate,
  room: pathLengthOf(certificate),
  ...periodOf(certificate),
});

/** Adds the others that stand below those already trusted, nearest first. */
function descend(trusted: readonly Trusted[], others: readonly Certificate[]): readonly Trusted[] {
  const found = others.map((certificate) => ({ certificate, issuer: longest(issuersOf(certificate, trusted, 1)) }));
  const added = found.flatMap(({ certificate, issuer }): Trusted[] =>
    issuer && isAuthority(certificate)
      ? [{ certificate, room: Math.min(issuer.room - 1, pathLengthOf(certificate)), ...within(issuer, certificate) }]
      : [],
  );
  if (added.length === 0) return trusted;
  const left = others.filter((other) => !added.some(({ certificate }) => certificate === other));
  return descend([...trusted, ...added], left);
}

/** @param room how many authorities must still be allowed below an issuer */
function issuersOf(certificate: Certificate, trusted: readonly Trusted[], room = 0): Trusted[] {
  return trusted.filter((issuer) => issuer.room >= room && isIssuedBy(certificate, issuer.certificate));
}

function isIssuedBy({ signed }: Certificate, issuer: Certificate): boolean {
  return signed.checkIssued(issuer.signed) && signed.verify(issuer.publicKey);
}

/** Of a renewed authority's certificates the one that stays valid longest. */
const longest = ([first, ...others]: readonly Trusted[]): Trusted | undefined =>
  others.reduce((best, next) => (best && best.until >= next.until ? best : next), first);

function within(issuer: Trusted, certificate: Certificate): { from: number; until: number } {
  const { from, until } = periodOf(certificate);
  return { from: Math.max(issuer.from, from), until: Math.min(issuer.until, until) };
}

export function periodOf({ signed }: Certificate): { from: number; until: number } {
  return { from: signed.validFromDate.getTime(), until: signed.validToDate.getTime() };
}

const pathLengthOf = (certificate: Certificate): number =>
  certificate.read().getExtension(x509.BasicConstraintsExtension)?.pathLength ?? Infinity;
