// Whether the directory's word about a device vouches for the certificate it shows.
import type { DirectoryDevice } from './directory-device.ts';

export const DIRECTORY_REQUIREMENTS = ['managed', 'enabled'] as const;
/** What a device must be: enabled and managed by Intune, or enabled alone. */
export type DirectoryRequirement = (typeof DIRECTORY_REQUIREMENTS)[number];

export type DeviceJudgement = { kind: 'good' } | { kind: 'bad'; reason: string };

export const NOT_FOUND: DeviceJudgement = { kind: 'bad', reason: 'the directory has no such device' };

/** @param keyDigest as from `toKeyDigest`, of the certificate; any of the device's keys may fit */
export function judgeDevice(
  { isEnabled, isManaged, keys }: DirectoryDevice,
  keyDigest: string,
  requirement: DirectoryRequirement,
): DeviceJudgement {
  if (!keys.includes(keyDigest)) return bad('the directory names another key for the device');
  if (!isEnabled) return bad('the device is disabled in the directory');
  if (requirement === 'managed' && !isManaged) return bad('the device is not managed by Intune');
  return { kind: 'good' };
}

const bad = (reason: string): DeviceJudgement => ({ kind: 'bad', reason });
