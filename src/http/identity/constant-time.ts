// Constant-time comparison of secrets.
import { timingSafeEqual } from 'node:crypto';

/** Takes the same time regardless of where they differ. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
