// Signs a device's request: RFC 9421 with a derived key or a certificate's, and an RFC 9530 body digest.
import { createHash, createHmac } from 'node:crypto';

import { httpbis } from 'http-message-signatures';
import { readCertificateKey, type CertificateFiles } from './certificate-key.ts';

/** What a device signs with. */
export type DeviceCredentials =
  | {
      /** In base64, as installed on the device. */
      deviceKey: string;
    }
  | CertificateFiles;

export type RequestToSign = {
  method: string;
  url: string | URL;
  /** The bytes that will be sent; absent for a GET. */
  body?: string | Uint8Array;
  deviceId: string;
  tenant?: string;
  createdAtS: number;
} & DeviceCredentials;

/**
 * The headers that prove a request comes from this device: Signature-Input, Signature, with a body Content-Digest, and with a
 * certificate the fields that show it.
 * @throws Error if a certificate or its key cannot be used
 */
export async function signRequest(request: RequestToSign): Promise<Record<string, string>> {
  const { method, url, body, deviceId, tenant, createdAtS } = request;
  const key = toKey(request);
  const headers: Record<string, string> = {
    ...(body !== undefined && { 'Content-Digest': contentDigest(body) }),
    ...key.headers,
  };
  const signed = await httpbis.signMessage(
    {
      name: 'device',
      fields: [
        '@method',
        '@path',
        ...(body === undefined ? [] : ['content-digest']),
        ...('Device-Certificate' in key.headers ? ['device-certificate'] : []),
      ],
      params: ['created', 'keyid', 'alg'],
      paramValues: { created: new Date(createdAtS * 1000) },
      key: {
        id: tenant === undefined ? deviceId : `${tenant}/${deviceId}`,
        alg: key.alg,
        sign: (base) => Promise.resolve(key.sign(base)),
      },
    },
    { method, url: url.toString(), headers },
  );
  return signed.headers;
}

function toKey(credentials: DeviceCredentials) {
  if (!('deviceKey' in credentials)) return readCertificateKey(credentials);
  const key = Buffer.from(credentials.deviceKey, 'base64');
  return {
    alg: 'hmac-sha256',
    headers: {},
    sign: (base: Buffer) => createHmac('sha256', key).update(base).digest(),
  };
}

function contentDigest(body: string | Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}
