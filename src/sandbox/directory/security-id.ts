// The entry by which the directory vouches for a device's key, as MS-DVRJ 2.3.3 describes it and tenants have it.
import { X509Certificate, createHash } from 'node:crypto';

export type SecurityId = { type: number; identityProvider: string | null; key: string };

/** Type 2: the certificate's SHA-1 thumbprint, then the SHA-256 of its PKCS#1 public key, as UTF-16 text in base64. */
export function toSecurityId(certificatePem: string): SecurityId {
  const certificate = new X509Certificate(certificatePem);
  const thumbprint = certificate.fingerprint.replaceAll(':', '');
  const publicKey = certificate.publicKey.export({ type: 'pkcs1', format: 'der' });
  const text = `X509:<SHA1-TP-PUBKEY>${thumbprint}${createHash('sha256').update(publicKey).digest('base64')}`;
  return { type: 2, identityProvider: null, key: Buffer.from(text, 'utf16le').toString('base64') };
}

/** An entry that vouches for no certificate. Graph does not document what other types mean, so its key is arbitrary. */
export function otherSecurityId(deviceId: string): SecurityId {
  return { type: 1, identityProvider: null, key: Buffer.from(deviceId.replaceAll('-', ''), 'hex').toString('base64') };
}
