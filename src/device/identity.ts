// Who reports: a device id with its derived key, or a certificate, checked before anything is kept or sent.
import { X509Certificate } from 'node:crypto';
import { deviceIdSchema } from '../domain/submission/run-result.ts';
import { readCertificateKey, type CertificateFiles } from './certificate-key.ts';
import type { DeviceCredentials } from './sign-request.ts';

/** With a certificate, the device id is the common name of its subject unless it is given. */
export type DeviceIdentity = { deviceId: string; deviceKey: string } | ({ deviceId?: string } & CertificateFiles);

const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 64;

/** @throws TypeError if it cannot sign */
export function checkIdentity(identity: DeviceIdentity): { deviceId: string } & DeviceCredentials {
  const credentials = 'deviceKey' in identity ? checkKey(identity.deviceKey) : checkCertificate(identity);
  const deviceId = identity.deviceId ?? ('certificate' in identity ? readCommonName(identity.certificate) : undefined);
  if (!deviceIdSchema.safeParse(deviceId).success || deviceId === undefined) {
    throw new TypeError('the device id must be 1 to 128 of A–Z a–z 0–9 . _ -');
  }
  return { deviceId, ...credentials };
}

function checkKey(text: string): DeviceCredentials {
  const deviceKey = text.trim();
  const { length } = Buffer.from(deviceKey, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(deviceKey) || length < MIN_KEY_BYTES || length > MAX_KEY_BYTES) {
    throw new TypeError(`the device key must be base64 of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes`);
  }
  return { deviceKey };
}

function checkCertificate({ certificate, privateKey, chain = '' }: CertificateFiles): CertificateFiles {
  const files = { certificate, privateKey, chain };
  try {
    readCertificateKey(files);
  } catch (cause) {
    throw new TypeError(`the certificate cannot be used: ${(cause as Error).message}`, { cause });
  }
  return files;
}

const readCommonName = (pem: string): string | undefined => /^CN=(.*)$/m.exec(new X509Certificate(pem).subject)?.[1];
