// Encrypts text before it is stored in Redis: AES-256-GCM with the first of several keys, decrypted by any; plain without keys.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { firstFingerprint, shorten } from '../../domain/submission/first-fingerprint.ts';

export type PayloadCipher = {
  /** @param id the delivery the text belongs to; it cannot be opened under any other id */
  seal: (plain: string, id: string) => string;
  /** @throws DecryptionFailed if no key opens it, it was modified, or it belongs to another id */
  open: (sealed: string, id: string) => string;
  /** Whether text that is stored like this would be sealed in the same way now, with the same key or none. */
  isCurrent: (text: string) => boolean;
  /** Whether a fingerprint of the first version matches this text, under any of the keys or from before there were keys. */
  isFirstFingerprint: (found: string, text: string) => boolean;
};

/** Sealed text that cannot be read. The message contains neither text nor key. */
export class DecryptionFailed extends Error {
  constructor(reason: string) {
    super(`a sealed record cannot be opened: ${reason}`);
    this.name = 'DecryptionFailed';
  }
}

/** No JSON begins like this, which distinguishes sealed text from text stored before there were keys. */
const VERSION = 'sealed1';
const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 6;

type NamedKey = { id: string; key: Buffer };

/**
 * Creates the cipher for `PAYLOAD_KEYS`. Sealed text is `sealed1.<key id>.<base64url of nonce, ciphertext and tag>`.
 * @param keys 32 bytes each; the first seals, all can open. Without keys text stays plain. Plain text is returned as it is
 * by `open`, so keys can be introduced while unsealed records are still in Redis.
 */
export function createPayloadCipher(keys: readonly Buffer[]): PayloadCipher {
  const named = keys.map((key) => ({ id: nameOf(key), key }));
  const [first] = named;
  return {
    seal: first ? (plain, id) => sealWith(first, plain, id) : (plain) => plain,
    open: (text, id) => (text.startsWith(`${VERSION}.`) ? openWith(named, text, id) : text),
    isCurrent: (text) => (first ? text.startsWith(`${VERSION}.${first.id}.`) : !text.startsWith(`${VERSION}.`)),
    isFirstFingerprint: (found, text) =>
      found === firstFingerprint(text) || named.some((key) => found === firstFingerprintWith(key, text)),
  };
}

function firstFingerprintWith({ key }: NamedKey, text: string): string {
  return shorten(createHmac('sha256', key).update(`fingerprint\n${text}`).digest('base64url'));
}

/** Identifies the key that sealed a text without revealing anything about it. */
function nameOf(key: Buffer): string {
  return createHmac('sha256', key).update('key id').digest().subarray(0, KEY_ID_BYTES).toString('base64url');
}

function sealWith({ id: keyId, key }: NamedKey, plain: string, id: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(associated(keyId, id));
  const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${VERSION}.${keyId}.${sealed.toString('base64url')}`;
}

function openWith(keys: readonly NamedKey[], text: string, id: string): string {
  const [, keyId = '', encoded = ''] = text.split('.');
  const known = keys.find((key) => key.id === keyId);
  if (!known) throw new DecryptionFailed('none of PAYLOAD_KEYS is the key that sealed it');
  const sealed = Buffer.from(encoded, 'base64url');
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new DecryptionFailed('it is cut short');
  const decipher = createDecipheriv(ALGORITHM, known.key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(associated(keyId, id))
    .setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    throw new DecryptionFailed('it was changed, or belongs to another delivery');
  }
}

function associated(keyId: string, id: string): Buffer {
  return Buffer.from(`${VERSION}.${keyId}.${id}`);
}
