// The text by which the Entra directory names a device's key, and the same text made from a certificate.
import { hash } from 'node:crypto';

/**
 * The text in an `alternativeSecurityIds` entry of type 2 that vouches for a certificate: its SHA-1 thumbprint in upper-case
 * hex, followed by the SHA-256 of its RSA public key in base64.
 * @param certificate DER
 * @param publicKey PKCS#1 DER, which is not the SubjectPublicKeyInfo
 * Source: MS-DVRJ 2.3.3. It shows a `+` between the two parts, which the directory's values do not have.
 */
export function toDirectoryKey(certificate: Uint8Array, publicKey: Uint8Array): string {
  return `X509:<SHA1-TP-PUBKEY>${hash('sha1', certificate, 'hex').toUpperCase()}${hash('sha256', publicKey, 'base64')}`;
}
