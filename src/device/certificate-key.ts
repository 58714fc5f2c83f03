// A device's certificate and private key, and how it signs with them: the algorithms of RFC 9421, section 3.3.
import {
  constants,
  createPrivateKey,
  sign as signBytes,
  X509Certificate,
  type KeyObject,
  type SignKeyObjectInput,
} from 'node:crypto';

/** In PEM; the certificate's file may hold its chain too, nearest first. */
export type CertificateFiles = { certificate: string; privateKey: string; chain?: string };

export type CertificateKey = {
  alg: string;
  /** The header fields that show the certificate. */
  headers: Record<string, string>;
  sign: (base: Buffer) => Buffer;
};

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** @throws Error if certificate and key cannot be read, do not belong together or cannot sign */
export function readCertificateKey({ certificate, privateKey, chain = '' }: CertificateFiles): CertificateKey {
  const [leaf, ...others] = Array.from(`${certificate}\n${chain}`.matchAll(PEM), ([pem]) => parse(pem));
  if (!leaf) throw new Error('there is no certificate in PEM');
  const key = parseKey(privateKey);
  if (!leaf.checkPrivateKey(key)) throw new Error('the private key is not the certificate’s');
  const { alg, hash, options } = algorithmOf(key);
  return {
    alg,
    headers: {
      'Device-Certificate': toByteSequence(leaf),
      ...(others.length > 0 && { 'Device-Certificate-Chain': others.map(toByteSequence).join(', ') }),
    },
    sign: (base) => signBytes(hash, base, { key, ...options }),
  };
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new Error('the certificate cannot be read');
  }
}

function parseKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error('the private key cannot be read: it is not PEM, or it is encrypted');
  }
}

type Algorithm = { alg: string; hash: string | null; options: Partial<SignKeyObjectInput> };

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): Algorithm {
  const curve = asymmetricKeyDetails?.namedCurve;
  if (type === 'rsa') {
    return {
      alg: 'rsa-pss-sha512',
      hash: 'sha512',
      options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
    };
  }
  if (type === 'ed25519') return { alg: 'ed25519', hash: null, options: {} };
  if (curve === 'prime256v1') {
    return { alg: 'ecdsa-p256-sha256', hash: 'sha256', options: { dsaEncoding: 'ieee-p1363' } };
  }
  if (curve === 'secp384r1') {
    return { alg: 'ecdsa-p384-sha384', hash: 'sha384', options: { dsaEncoding: 'ieee-p1363' } };
  }
  throw new Error('the private key is none of RSA, P-256, P-384 and Ed25519');
}

const toByteSequence = ({ raw }: X509Certificate): string => `:${raw.toString('base64')}:`;
