// An app's own RSA certificate for the tests: self-signed, with the assertion a client proves itself by.
import 'reflect-metadata';

import { KeyObject, createHash, webcrypto } from 'node:crypto';

import * as x509 from '@peculiar/x509';
import { SignJWT } from 'jose';

export const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export async function createAppCertificate() {
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=bridge app',
    serialNumber: '01',
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    keys,
  });
  const certificatePem = certificate.toString('pem');
  const privateKey = KeyObject.from(keys.privateKey);
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const thumbprint = createHash('sha256').update(new Uint8Array(certificate.rawData)).digest('base64url');

  const sign = (clientId: string, audience: string, expiresAtS: number) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(audience)
      .setExpirationTime(expiresAtS)
      .sign(privateKey);
  return { certificatePem, privateKeyPem, sign };
}
