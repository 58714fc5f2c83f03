// The sandbox's certificate authorities, kept in a directory, and the server certificate one of them signs at each start.
import 'reflect-metadata';

import { KeyObject, createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';

import * as x509 from '@peculiar/x509';

export const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

export type Authority = { certificate: x509.X509Certificate; privateKey: webcrypto.CryptoKey };

/** An authority and the file with its certificate in PEM. */
export type KeptAuthority = { authority: Authority; pem: string; path: string };

/** The data a TLS listener needs, and the CA certificate its clients must trust. */
export type TlsMaterial = { caPem: string; caPath: string; certificatePem: string; privateKeyPem: string };

/**
 * A server certificate for `hostNames`, signed by the CA in `directory`. The CA is created on first use and kept, so that
 * clients that trusted it once keep trusting it.
 */
export async function createTlsMaterial(directory: string, hostNames: readonly string[]): Promise<TlsMaterial> {
  const { authority, pem, path: caPath } = await openAuthority(directory, 'ca', 'CN=runstate-bridge sandbox CA');
  return { ...(await signServerCertificate(authority, hostNames)), caPath, caPem: pem };
}

/** The authority kept as `<name>.pem` and `<name>-key.pem`, which is created if missing. */
export async function openAuthority(directory: string, name: string, subject: string): Promise<KeptAuthority> {
  await mkdir(directory, { recursive: true });
  const certificatePath = path.join(directory, `${name}.pem`);
  const keyPath = path.join(directory, `${name}-key.pem`);
  let authority = await readAuthority(certificatePath, keyPath);
  if (authority === undefined) {
    authority = await createAuthority(subject);
    await writeFile(keyPath, toPem(authority.privateKey), { mode: 0o600 });
    await writeFile(certificatePath, `${authority.certificate.toString('pem')}\n`);
  }
  return { authority, pem: `${authority.certificate.toString('pem')}\n`, path: certificatePath };
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

/** An authority with a key of its own, kept nowhere. */
export async function createAuthority(subject: string): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validFor(3650),
    name: subject,
    signingAlgorithm: ecdsa,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, privateKey: keys.privateKey };
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

export function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
}

/** A serial number, and a period from yesterday on. */
export function validFor(days: number) {
  return {
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + days * dayMs),
  };
}

export function toPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}
