// A device as the Entra directory describes it, parsed from what Graph answers.
import { hash } from 'node:crypto';

export type DirectoryDevice = {
  isEnabled: boolean;
  /** Managed by Intune. */
  isManaged: boolean;
  /** Digests of the directory keys, as from `toKeyDigest`. */
  keys: readonly string[];
};

/** What Graph answers about a device; anything may be missing or malformed. */
export type DeviceAnswer = { accountEnabled?: unknown; isManaged?: unknown; alternativeSecurityIds?: unknown };

/** The type of an entry that names a certificate's key. */
const CERTIFICATE_ENTRY = 2;
/** Of the text in an entry: nothing longer can be a directory key. */
const LONGEST_ENTRY = 4096;
/** A device keeps its old keys, newest last; this bounds what one device may take in memory. */
const MOST_KEYS = 16;
const DIRECTORY_KEY = /^X509:<SHA1-TP-PUBKEY>[0-9A-F]{40}[A-Za-z0-9+/]{43}=$/;

/** Only `true` counts as enabled or managed: for devices nobody manages, Graph answers null. */
export function toDirectoryDevice({
  accountEnabled,
  isManaged,
  alternativeSecurityIds,
}: DeviceAnswer): DirectoryDevice {
  return {
    isEnabled: accountEnabled === true,
    isManaged: isManaged === true,
    keys: readDirectoryKeys(alternativeSecurityIds).map(toKeyDigest),
  };
}

/** The directory keys in `alternativeSecurityIds`. Malformed entries and those of other kinds are ignored. */
function readDirectoryKeys(entries: unknown): string[] {
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry: unknown) => readDirectoryKey(entry) ?? []).slice(-MOST_KEYS);
}

function readDirectoryKey(entry: unknown): string | null {
  if (typeof entry !== 'object' || entry === null) return null;
  const { type, key } = entry as { type?: unknown; key?: unknown };
  if (type !== CERTIFICATE_ENTRY || typeof key !== 'string' || key.length > LONGEST_ENTRY) return null;
  const bytes = Buffer.from(key, 'base64');
  if (bytes.toString('base64') !== key || bytes.length % 2 === 1) return null;
  const text = bytes.toString('utf16le');
  return DIRECTORY_KEY.test(text) ? text : null;
}

/**
 * The first 128 bits of SHA-256 over a whole directory key, in hex. Two texts with the same digest are the same text: to
 * pass for a device, somebody would have to find a certificate whose text has the digest of the device's, a second
 * preimage of 128 bits. A pair of certificates with one digest, which takes 64 bits, helps only who owns both.
 */
export function toKeyDigest(directoryKey: string): string {
  return hash('sha256', directoryKey, 'hex').slice(0, 32);
}
