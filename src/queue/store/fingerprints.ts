// Fingerprints of submissions: show whether two are identical without revealing their content to readers of Redis.
import { createHmac, hash } from 'node:crypto';
import { isFirstFingerprint, toFirstTexts } from '../../domain/submission/first-fingerprint.ts';
import type { Said } from '../../domain/submission/fingerprinted-text.ts';
import { SECRET_ID_CHARACTERS, type FingerprintSecret, type FingerprintSecrets } from './fingerprint-secrets.ts';
import type { PayloadCipher } from './payload-cipher.ts';

export type MakeFingerprint = (said: Said) => string;

export type Fingerprints = {
  /** Resolves once the secret is known. */
  ready: () => Promise<MakeFingerprint>;
  /** Whether a stored fingerprint, of this version or an earlier one, matches this text. */
  isOf: (found: string, said: Said) => Promise<boolean>;
};

/** Followed by the secret's id, the outline and the MAC; fingerprints of the first version contain no dot. */
const VERSION = '2.';
const OUTLINE_AT = VERSION.length + SECRET_ID_CHARACTERS;
/** 36 bits: only used if the secret is lost. */
const MAC_AT = OUTLINE_AT + 6;
/** 96 bits: a collision could only confuse two runs of the same device. */
const END = MAC_AT + 16;

/** Fingerprints of the second version are `2.<secret id><outline><MAC>`, over the unmasked submission. */
export function createFingerprints(secrets: FingerprintSecrets, cipher: PayloadCipher): Fingerprints {
  return {
    ready: async () => {
      const secret = await secrets.current();
      return (said) => make(secret, said);
    },
    isOf: async (found, said) => {
      if (isFirstFingerprint(found)) return toFirstTexts(said).some((text) => cipher.isFirstFingerprint(found, text));
      if (!found.startsWith(VERSION)) return false;
      const secret = await secrets.find(found.slice(VERSION.length, OUTLINE_AT));
      return secret
        ? found === make(secret, said)
        : // All keys it was sealed under are gone, so only the outline can still be compared.
          found.slice(OUTLINE_AT, MAC_AT) === hash('sha256', said.outline, 'base64url').slice(0, MAC_AT - OUTLINE_AT);
    },
  };
}

function make({ id, key }: FingerprintSecret, { text, outline }: Said): string {
  const mac = createHmac('sha256', key).update(text).digest('base64url');
  return `${VERSION}${id}${hash('sha256', outline, 'base64url')}`.slice(0, MAC_AT) + mac.slice(0, END - MAC_AT);
}
