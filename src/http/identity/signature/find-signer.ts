// The key that a request was signed with, by the certificate it shows.
import type { IncomingMessage } from 'node:http';
import { isValidAt, NOT_VALID_NOW, type Certified, type CertifiedDevices } from '../certificate/certified-devices.ts';
import { CERTIFICATE_FIELD, readSignedCertificate } from '../certificate/signed-certificate.ts';
import type { Algorithm, Signer } from './certificate-algorithms.ts';

/** The device's key, or why there is none, for the log. */
export type FindSigner = (
  headers: IncomingMessage['headers'],
  signature: { algorithm: Algorithm; deviceId: string },
) => (Signer & Pick<Certified, 'askDirectory'>) | string;

export function createFindSigner(devices: CertifiedDevices, clock: () => number): FindSigner {
  return (headers, { algorithm, deviceId }) => {
    const chain = readSignedCertificate(headers);
    if (!chain) {
      return headers[CERTIFICATE_FIELD] === undefined
        ? 'there is no certificate beside the signature'
        : 'the Device-Certificate headers cannot be read';
    }
    const certified = devices.byAny(chain);
    if (typeof certified === 'string') return certified;
    const { publicKey: key, askDirectory } = certified;
    if (certified.deviceId !== deviceId) return 'keyid is not the certificate’s device';
    if (!algorithm.fits(key)) return 'the algorithm is not for the certificate’s key';
    if (!isValidAt(certified, clock())) return NOT_VALID_NOW;
    return { key, algorithm, askDirectory };
  };
}
