// Certificates for simulated devices: those a device gets when it joins Entra, and those of a fleet's own authority.
import 'reflect-metadata';

import { createPublicKey } from 'node:crypto';
import type { KeyObject, webcrypto } from 'node:crypto';

import * as x509 from '@peculiar/x509';

import { createAuthority, ecdsa, generateKeys, toPem, validFor } from '../server/certificates.ts';
import type { Authority } from '../server/certificates.ts';
import type { KeyPool } from './key-pool.ts';

/** What a device holds: its certificate, and the key that goes with it. */
export type DeviceCredentials = { deviceId: string; certificatePem: string; privateKeyPem: string };

/** `long`: with a unit and domain components in one relative name, as many devices have it. */
export type IssuerName = 'short' | 'long';

const issuerNames: Record<IssuerName, string> = {
  short: 'CN=MS-Organization-Access',
  long: 'CN=MS-Organization-Access+OU=82dbaca4-3e81-46ca-9c73-0950c1eaca97+DC=windows+DC=net',
};
const tenYears = 3650;
const oneYear = 365;

export type DeviceAuthority = Awaited<ReturnType<typeof createDeviceAuthority>>;

/** Issues the certificates of joined devices. Nothing trusts its own certificate: only the directory vouches for them. */
export async function createDeviceAuthority(keys: KeyPool) {
  const authorities = {
    short: await createAuthority(issuerNames.short),
    long: await createAuthority(issuerNames.long),
  };
  return {
    issue: async (deviceId: string, issuer: IssuerName): Promise<DeviceCredentials> => {
      const privateKey = await keys.take();
      return {
        deviceId,
        certificatePem: await sign(authorities[issuer], deviceId, {
          publicKey: toPublicKey(privateKey),
          days: tenYears,
        }),
        privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
    },
  };
}

/** A certificate of the fleet's own authority, with an elliptic key: `CN=<deviceId>`. */
export async function issueFleetCertificate(authority: Authority, deviceId: string): Promise<DeviceCredentials> {
  const keys = await generateKeys();
  return {
    deviceId,
    certificatePem: await sign(authority, deviceId, { publicKey: keys.publicKey, days: oneYear }),
    privateKeyPem: toPem(keys.privateKey),
  };
}

async function sign(
  authority: Authority,
  commonName: string,
  { publicKey, days }: { publicKey: webcrypto.CryptoKey | x509.PublicKey; days: number },
): Promise<string> {
  const certificate = await x509.X509CertificateGenerator.create({
    ...validFor(days),
    subject: [{ CN: [commonName] }],
    issuer: authority.certificate.subjectName,
    signingKey: authority.privateKey,
    signingAlgorithm: ecdsa,
    publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

function toPublicKey(privateKey: KeyObject): x509.PublicKey {
  return new x509.PublicKey(new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })));
}
