// The algorithms that devices sign with by the key of a certificate: RFC 9421, section 3.3.
import { constants, verify, type KeyObject } from 'node:crypto';

export type Algorithm = {
  /** Of which kind a key must be. */
  fits: (key: KeyObject) => boolean;
  /** Node's name of the hash; null if the algorithm has its own. */
  hash: string | null;
  options: { padding?: number; saltLength?: number; dsaEncoding?: 'ieee-p1363' };
  /** How long a signature by this key is: any other length is wrong without computing anything. */
  length: (key: KeyObject) => number;
};

const isRsa = ({ asymmetricKeyType }: KeyObject) => asymmetricKeyType === 'rsa';
const isOnCurve = (curve: string) => (key: KeyObject) =>
  key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve;
const modulusBytes = ({ asymmetricKeyDetails }: KeyObject) => Math.ceil((asymmetricKeyDetails?.modulusLength ?? 0) / 8);

const ALGORITHMS: Record<string, Algorithm> = {
  'rsa-v1_5-sha256': {
    fits: isRsa,
    hash: 'sha256',
    options: { padding: constants.RSA_PKCS1_PADDING },
    length: modulusBytes,
  },
  'rsa-pss-sha512': {
    fits: isRsa,
    hash: 'sha512',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
    length: modulusBytes,
  },
  'ecdsa-p256-sha256': {
    fits: isOnCurve('prime256v1'),
    hash: 'sha256',
    options: { dsaEncoding: 'ieee-p1363' },
    length: () => 64,
  },
  'ecdsa-p384-sha384': {
    fits: isOnCurve('secp384r1'),
    hash: 'sha384',
    options: { dsaEncoding: 'ieee-p1363' },
    length: () => 96,
  },
  ed25519: {
    fits: ({ asymmetricKeyType }) => asymmetricKeyType === 'ed25519',
    hash: null,
    options: {},
    length: () => 64,
  },
};

/** Undefined for an algorithm that no certificate's key may sign with. */
export const findAlgorithm = (name: unknown): Algorithm | undefined =>
  typeof name === 'string' && Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined;

/** A key, and an algorithm that fits it. */
export type Signer = { key: KeyObject; algorithm: Algorithm };

/** @param base the signature base, one byte per character */
export function isSignedBy({ key, algorithm }: Signer, base: string, signature: Uint8Array): boolean {
  const { hash, options, length } = algorithm;
  if (signature.length !== length(key)) return false;
  return verify(hash, Buffer.from(base, 'latin1'), { key, ...options }, signature);
}
