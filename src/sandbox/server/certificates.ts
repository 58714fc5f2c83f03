// The sandbox's certificate authority, kept in a directory, and the server certificate it signs at each start.
import 'reflect-metadata';

import { KeyObject, createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';

import * as x509 from '@peculiar/x509';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

type Authority = { certificate: x509.X509Certificate; privateKey: webcrypto.CryptoKey };

/** The data a TLS listener needs, and the CA certificate its clients must trust. */
export type TlsMaterial = { caPem: string; caPath: string; certificatePem: string; privateKeyPem: string };

/**
 * A server certificate for `hostNames`, signed by the CA in `directory`. The CA is created on first use and kept, so that
 * clients that trusted it once keep trusting it.
 */
export async function createTlsMaterial(directory: string, hostNames: readonly string[]): Promise<TlsMaterial> {
  await mkdir(directory, { recursive: true });
  const caPath = path.join(directory, 'ca.pem');
  const keyPath = path.join(directory, 'ca-key.pem');
  let authority = await readAuthority(caPath, keyPath);
  if (authority === undefined) {
    const made = await createAuthority();
    authority = made.authority;
    await writeFile(keyPath, made.privateKeyPem, { mode: 0o600 });
    await writeFile(caPath, `${authority.certificate.toString('pem')}\n`);
  }
  const server = await signServerCertificate(authority, hostNames);
  return { ...server, caPath, caPem: `${authority.certificate.toString('pem')}\n` };
}

async function readAuthority(caPath: string, keyPath: string): Promise<Authority | undefined> {
  try {
    const certificate = new x509.X509Certificate(await readFile(caPath, 'utf8'));
    if (certificate.notAfter.getTime() < Date.now() + 30 * dayMs) return undefined;
    const der = createPrivateKey(await readFile(keyPath, 'utf8')).export({ type: 'pkcs8', format: 'der' });
    const privateKey = await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), ecdsa, false, ['sign']);
    return { certificate, privateKey };
  } catch {
    return undefined;
  }
}

async function createAuthority(): Promise<{ authority: Authority; privateKeyPem: string }> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validFor(3650),
    name: 'CN=runstate-bridge sandbox CA',
    signingAlgorithm: ecdsa,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { authority: { certificate, privateKey: keys.privateKey }, privateKeyPem: toPem(keys.privateKey) };
}

async function signServerCertificate(
  authority: Authority,
  hostNames: readonly string[],
): Promise<Pick<TlsMaterial, 'certificatePem' | 'privateKeyPem'>> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...validFor(365),
    subject: 'CN=runstate-bridge sandbox',
    issuer: authority.certificate.subject,
    signingKey: authority.privateKey,
    signingAlgorithm: ecdsa,
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hostNames.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  });
  return { certificatePem: certificate.toString('pem'), privateKeyPem: toPem(keys.privateKey) };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
}

function validFor(days: number) {
  return {
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + days * dayMs),
  };
}

function toPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}
