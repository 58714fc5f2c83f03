// Signs a device's request: RFC 9421 with hmac-sha256, and an RFC 9530 body digest.
import { createHash, createHmac } from 'node:crypto';

import { httpbis } from 'http-message-signatures';

export type RequestToSign = {
  method: string;
  url: string | URL;
  /** The bytes that will be sent; absent for a GET. */
  body?: string | Uint8Array;
  deviceId: string;
  /** In base64, as installed on the device. */
  deviceKey: string;
  createdAtS: number;
};

/** The headers that prove a request comes from this device: Signature-Input, Signature and, with a body, Content-Digest. */
export async function signRequest(request: RequestToSign): Promise<Record<string, string>> {
  const { method, url, body, deviceId, deviceKey, createdAtS } = request;
  const key = Buffer.from(deviceKey, 'base64');
  const headers: Record<string, string> = body === undefined ? {} : { 'Content-Digest': contentDigest(body) };
  const signed = await httpbis.signMessage(
    {
      name: 'device',
      fields: ['@method', '@path', ...(body === undefined ? [] : ['content-digest'])],
      params: ['created', 'keyid', 'alg'],
      paramValues: { created: new Date(createdAtS * 1000) },
      key: {
        id: deviceId,
        alg: 'hmac-sha256',
        sign: (base) => Promise.resolve(createHmac('sha256', key).update(base).digest()),
      },
    },
    { method, url: url.toString(), headers },
  );
  return signed.headers;
}

function contentDigest(body: string | Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}
