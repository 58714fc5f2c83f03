// Fingerprints of the first version, over the masked run result as stored. Records in Redis still contain them.
import { hash } from 'node:crypto';
import { maskAsAtFirst } from '../masking/first-masking.ts';
import type { Said } from './fingerprinted-text.ts';

/** 132 bits. */
const CHARACTERS = 22;

export const isFirstFingerprint = (text: string): boolean => text.length === CHARACTERS;

/** Truncates a digest, as the first version did for every fingerprint. */
export const shorten = (digest: string): string => digest.slice(0, CHARACTERS);

/** @param text from `toFirstTexts` */
export function firstFingerprint(text: string): string {
  return shorten(hash('sha256', text, 'base64url'));
}

/**
 * What the first version would have stored for a run, with its own member order and masking. It distinguished a null user
 * from an absent one; which of the two the device sent is no longer known, so both texts are returned.
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
