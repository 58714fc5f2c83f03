// Distinct RSA-2048 keys at a fraction of their usual cost: each is a pair of primes from a small, growing stock.
import { createPrivateKey, generateKeyPair } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);
const publicExponent = 65_537n;

export type KeyPool = ReturnType<typeof createKeyPool>;

/**
 * No two keys have the same modulus, but some share a prime, so whoever holds a few public keys can compute the private
 * ones: for a sandbox only. A thousand keys take 46 primes, which are 23 generated keys instead of a thousand.
 */
export function createKeyPool() {
  const primes: bigint[] = [];
  let first = 1;
  let second = 0;

  async function take(): Promise<KeyObject> {
    while (primes.length <= first) primes.push(...(await generatePrimes()));
    const key = toPrivateKey(primes[first] ?? 0n, primes[second] ?? 0n);
    second += 1;
    if (second === first) [first, second] = [first + 1, 0];
    return key;
  }

  let last: Promise<unknown> = Promise.resolve();
  return {
    /** A private key that was not taken before. Keys are made one after another. */
    take: (): Promise<KeyObject> => {
      const taken = last.then(take);
      last = taken.catch(() => undefined);
      return taken;
    },
  };
}

/** The primes of a generated key: both have their two highest bits set, so the product of any two has 2048 bits. */
async function generatePrimes(): Promise<bigint[]> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048, publicExponent: Number(publicExponent) });
  const { p = '', q = '' } = privateKey.export({ format: 'jwk' });
  return [p, q].map((text) => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`));
}

function toPrivateKey(p: bigint, q: bigint): KeyObject {
  const d = invert(publicExponent, (p - 1n) * (q - 1n));
  const members = { n: p * q, e: publicExponent, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: invert(q, p) };
  const spelled = Object.entries(members).map(([name, value]) => [name, toBase64Url(value)] as const);
  return createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(spelled) }, format: 'jwk' });
}

/** The number whose product with `value` leaves 1 when divided by `modulus`, by the extended Euclidean algorithm. */
function invert(value: bigint, modulus: bigint): bigint {
  let [remainder, nextRemainder] = [modulus, value % modulus];
  let [factor, nextFactor] = [0n, 1n];
  while (nextRemainder !== 0n) {
    const quotient = remainder / nextRemainder;
    [remainder, nextRemainder] = [nextRemainder, remainder - quotient * nextRemainder];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return factor < 0n ? factor + modulus : factor;
}

function toBase64Url(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}
