// Fingerprints of the first version: over the run result as it was stored, masked. Records in Redis still have them.
import { hash } from 'node:crypto';
import { maskAsAtFirst } from '../masking/first-masking.ts';
import type { Said } from './fingerprinted-text.ts';

/** 132 bits. */
const CHARACTERS = 22;

export const isFirstFingerprint = (text: string): boolean => text.length === CHARACTERS;

/** The end of every fingerprint of the first version: so much of a digest. */
export const shorten = (digest: string): string => digest.slice(0, CHARACTERS);

/** @param text as `toFirstTexts` writes it */
export function firstFingerprint(text: string): string {
  return shorten(hash('sha256', text, 'base64url'));
}

/**
 * What the first version would have stored of a run: its own order of members, its own masking. It told a user who is
 * null from one who is not named; which of the two a device said then is not known now.
 */
export function toFirstTexts(said: Said): string[] {
  const { runId, deviceId, hardwareConfigurationId, deviceName, osVersion, upn, ...others } = JSON.parse(
    said.text,
  ) as Record<string, string | number | undefined>;
  const { policyVersion, completedAt, state, exitCode, output, error } = others;
  const texts = { output: mask(output), error: mask(error) };
  return (upn === undefined ? [undefined, null] : [upn]).map((user) =>
    JSON.stringify({
      runId,
      deviceId,
      hardwareConfigurationId,
      deviceName,
      osVersion,
      upn: user,
      policyVersion,
      completedAt,
      state,
      exitCode,
      ...texts,
    }),
  );
}

const mask = (text: string | number | undefined) => (typeof text === 'string' ? maskAsAtFirst(text) : text);
