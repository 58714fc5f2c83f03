// What a device's signature or certificate came to.
import type { AskDirectory } from './certificate/directory.ts';

export type DeviceName = { tenantId: string; deviceId: string };

/**
 * The device that proved its identity and the Content-Digest it signed, if any; or the reason it did not, for the log only.
 * `signedBy` is the tenant and device named by an invalid signature, and null if no signature names a device.
 */
export type Proof =
  | {
      ok: true;
      tenantId: string;
      deviceId: string;
      contentDigest?: string;
      /** Set if the proof counts only once the directory has confirmed it. */
      askDirectory?: AskDirectory;
    }
  | { ok: false; reason: string; signedBy?: DeviceName | null };
