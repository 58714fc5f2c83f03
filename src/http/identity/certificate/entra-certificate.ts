// The device that an Entra device certificate names: one that a device got when it joined or registered.
import type { KeyObject } from 'node:crypto';
import { toDirectoryKey } from '../../../domain/directory/directory-key.ts';
import { periodOf } from './authorities.ts';
import { mayBeClient, readCertificate } from './certificate.ts';

/** `directoryKey`: what the directory must know the device by. */
export type EntraCertificate = {
  deviceId: string;
  from: number;
  until: number;
  publicKey: KeyObject;
  directoryKey: string;
};

const ISSUER = 'MS-Organization-Access';
/** The whole subject, as Node writes it. */
const SUBJECT = /^CN=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/**
 * Reads the device id. Anyone can make such a certificate, as its issuer is not published: it proves nothing until the
 * directory has confirmed its key.
 * @returns null if it is not of this kind
 */
export function readEntraCertificate(der: Uint8Array): EntraCertificate | null {
  try {
    const certificate = readCertificate(der);
    const { signed, publicKey } = certificate;
    const [, deviceId] = SUBJECT.exec(signed.subject) ?? [];
    const isEntras = readCommonNames(signed.issuer).join('\n') === ISSUER;
    if (deviceId === undefined || !isEntras || publicKey.asymmetricKeyType !== 'rsa') return null;
    if (!mayBeClient(certificate)) return null;
    return {
      deviceId: deviceId.toLowerCase(),
      ...periodOf(certificate),
      publicKey,
      directoryKey: toDirectoryKey(signed.raw, publicKey.export({ type: 'pkcs1', format: 'der' })),
    };
  } catch {
    return null;
  }
}

/** Node writes a name on lines, the parts of one that has several joined by a plus sign; inside a value both are escaped. */
const readCommonNames = (name: string): string[] =>
  name.split(/\n| \+ /).flatMap((part) => (part.startsWith('CN=') ? [part.slice(3)] : []));
