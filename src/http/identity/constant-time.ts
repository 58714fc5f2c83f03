// Comparing what must not be guessed bit by bit.
import { timingSafeEqual } from 'node:crypto';

/** Compares in a time that tells nothing of where they differ. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
