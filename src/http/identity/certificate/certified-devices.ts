// The device that a certificate is for, remembered by the certificate's bytes.
import 'reflect-metadata';

import { hash, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { LRUCache } from 'lru-cache';
import {
  identifyDevice,
  type CertificateNames,
  type DeviceIdRule,
} from '../../../domain/submission/device-certificate.ts';
import type { Reloaded } from '../watched-files.ts';
import { findPath, NOT_CLIENT, periodOf, type Authorities, type Path } from './authorities.ts';
import { isClient, readCertificate } from './certificate.ts';
import type { AskDirectory, VerifyInDirectory } from './directory.ts';
import { readEntraCertificate } from './entra-certificate.ts';
import type { Chain } from './forwarded-certificate.ts';

/** A device, for as long as its certificate and those above it are valid. */
export type Certified = {
  deviceId: string;
  from: number;
  until: number;
  publicKey: KeyObject;
  /** The directory must confirm it first; null if an authority vouches for the certificate. */
  askDirectory: AskDirectory | null;
};

export type CertifiedDevices = {
  /** The device of a certificate whose path a TLS handshake verified, by the rules for every other. */
  byHandshake: (der: Uint8Array) => Certified | string;
  /** The device that one of our authorities vouches for, or why there is none. */
  byAuthority: (chain: Chain) => Certified | string;
  /** The same, or else a device that the directory may vouch for. */
  byAny: (chain: Chain) => Certified | string;
};

export const NOT_VALID_NOW = 'the certificate or one above it is not valid now';

/** Checked with every request. Written so that a date that is no number counts as not valid. */
export const isValidAt = ({ from, until }: Certified, now: number): boolean => now >= from && now <= until;

/**
 * A fleet's certificates that are in use at about the same time, about 3 KB each. Only those that proved good are remembered,
 * and each once, whatever chain comes with it: so certificates that callers make themselves push nothing out.
 */
const REMEMBERED = 10_000;

/**
 * @param authorities null without any
 * @param verifyInDirectory null if certificates that Entra issues to devices do not count
 */
export function createCertifiedDevices(
  authorities: { files: Reloaded<Authorities>; rule: DeviceIdRule } | null,
  verifyInDirectory: VerifyInDirectory | null,
): CertifiedDevices {
  const remembered = new LRUCache<string, { chain: string; certified: Certified }>({ max: REMEMBERED });
  authorities?.files.onChange(() => remembered.clear());

  /** Remembered only for the same chain: another may lead nowhere. */
  function recall(chain: Chain): Certified | undefined {
    const known = remembered.get(hash('sha256', chain.leaf, 'base64'));
    return known?.chain === nameChain(chain) ? known.certified : undefined;
  }

  function remember(chain: Chain, certified: Certified): Certified {
    remembered.set(hash('sha256', chain.leaf, 'base64'), { chain: nameChain(chain), certified });
    return certified;
  }

  function byAuthority(chain: Chain): Certified | string {
    if (!authorities) return 'no authority is configured';
    const known = recall(chain);
    if (known?.askDirectory === null) return known;
    const path = findPath(chain, authorities.files.current());
    if (typeof path === 'string') return path;
    const certified = toCertified(path, authorities.rule);
    return typeof certified === 'string' ? certified : remember(chain, certified);
  }

  function byDirectory(chain: Chain, verify: VerifyInDirectory): Certified | null {
    const read = readEntraCertificate(chain.leaf);
    if (!read) return null;
    const { directoryKey, ...device } = read;
    const certified: Certified = {
      ...device,
      askDirectory: async () => {
        const verdict = await verify(device.deviceId, directoryKey);
        if (verdict.kind === 'good') remember(chain, certified);
        return verdict;
      },
    };
    return certified;
  }

  return {
    byHandshake: (der) => {
      const leaf = readCertificate(der);
      if (!authorities || !isClient(leaf)) return NOT_CLIENT;
      return toCertified({ leaf, ...periodOf(leaf) }, authorities.rule);
    },
    byAuthority,
    byAny: (chain) => {
      const known = recall(chain);
      if (known) return known;
      const found = byAuthority(chain);
      if (typeof found !== 'string' || !verifyInDirectory) return found;
      return byDirectory(chain, verifyInDirectory) ?? (authorities ? found : 'the certificate is not one of Entra’s');
    },
  };
}

function toCertified({ leaf, from, until }: Path, rule: DeviceIdRule): Certified | string {
  const device = identifyDevice(rule, readNames(leaf.read()));
  if (!device.ok) return device.reason;
  return { deviceId: device.deviceId, from, until, publicKey: leaf.publicKey, askDirectory: null };
}

const nameChain = ({ others, isOneList }: Chain): string =>
  others.length === 0 ? '' : `${isOneList} ${others.map((der) => hash('sha256', der, 'base64')).join(' ')}`;

function readNames(certificate: x509.X509Certificate): CertificateNames {
  const names = certificate
    .getExtensions(x509.SubjectAlternativeNameExtension)
    .flatMap((extension) => extension.names.items);
  const of = (type: string) => names.filter((item) => item.type === type).map(({ value }) => value);
  return {
    commonNames: certificate.subjectName.getField('CN'),
    dnsNames: of('dns'),
    uris: of('url'),
    extensions: (oid) =>
      certificate.extensions.filter(({ type }) => type === oid).map(({ value }) => new Uint8Array(value)),
  };
}
