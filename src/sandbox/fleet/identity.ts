// How simulated devices prove who they are: by a derived key or one of two certificates, a third of each vendor's devices each.
import { createHash } from 'node:crypto';

export const IDENTITIES = ['derived-key', 'fleet-certificate', 'entra-certificate'] as const;
export type Identity = (typeof IDENTITIES)[number];

/** Any three devices in a row have three vendors and three identities; any nine have every pair. */
export function identityOf(number: number): Identity {
  return IDENTITIES[(number + Math.floor((number - 1) / 3)) % IDENTITIES.length] ?? IDENTITIES[0];
}

/** The id under which a device of this identity reports: a GUID if it is from the directory, else the given one. */
export function toDeviceId(identity: Identity, deviceId: string): string {
  if (identity !== 'entra-certificate') return deviceId;
  const hex = createHash('sha256').update(deviceId).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}
