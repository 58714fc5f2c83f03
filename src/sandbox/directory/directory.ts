// The tenant's devices, as its directory knows them: joined, disabled, unmanaged, deleted, with new keys.
import { randomUUID } from 'node:crypto';

import { createDeviceAuthority } from './device-authority.ts';
import type { DeviceCredentials, IssuerName } from './device-authority.ts';
import { createKeyPool } from './key-pool.ts';
import { otherSecurityId, toSecurityId } from './security-id.ts';
import type { SecurityId } from './security-id.ts';

export const TRUST_TYPES = ['AzureAd', 'ServerAd', 'Workplace'] as const;

/** The members of Graph's `device` that the sandbox has. */
export type DirectoryDevice = {
  id: string;
  /** In lower case. */
  deviceId: string;
  displayName: string;
  accountEnabled: boolean;
  isManaged: boolean;
  /** Joined; joined by a local domain as well; only registered. */
  trustType: (typeof TRUST_TYPES)[number];
  operatingSystem: string;
  alternativeSecurityIds: SecurityId[];
};

export type Join = Partial<Pick<DirectoryDevice, 'deviceId' | 'displayName' | 'trustType' | 'isManaged'>> & {
  issuer?: IssuerName;
};

export type DeviceChanges = Partial<Pick<DirectoryDevice, 'accountEnabled' | 'isManaged' | 'alternativeSecurityIds'>>;

/** A change to a device that the directory does not know (404), or a second device of the same id (409). */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError';
  readonly status: 404 | 409;

  constructor(status: 404 | 409, message: string) {
    super(message);
    this.status = status;
  }
}

export type Directory = Awaited<ReturnType<typeof createDirectory>>;

/** An empty directory. */
export async function createDirectory() {
  const authority = await createDeviceAuthority(createKeyPool());
  const devices = new Map<string, DirectoryDevice>();

  function find(deviceId: string): DirectoryDevice {
    const device = devices.get(deviceId.toLowerCase());
    if (device === undefined) throw new DirectoryError(404, `There is no device ${deviceId}.`);
    return device;
  }

  return {
    /** Adds a device that is enabled and, unless told otherwise, managed and joined. @returns what the device holds */
    join: async (join: Join = {}): Promise<DeviceCredentials> => {
      const deviceId = (join.deviceId ?? randomUUID()).toLowerCase();
      const credentials = await authority.issue(deviceId, join.issuer ?? 'short');
      if (devices.has(deviceId)) throw new DirectoryError(409, `There is a device ${deviceId} already.`);
      devices.set(deviceId, {
        id: randomUUID(),
        deviceId,
        displayName: join.displayName ?? `DESKTOP-${deviceId.slice(0, 7).toUpperCase()}`,
        accountEnabled: true,
        isManaged: join.isManaged ?? true,
        trustType: join.trustType ?? 'AzureAd',
        operatingSystem: 'Windows',
        alternativeSecurityIds: [otherSecurityId(deviceId), toSecurityId(credentials.certificatePem)],
      });
      return credentials;
    },
    change: (deviceId: string, changes: DeviceChanges): void => {
      Object.assign(find(deviceId), changes);
    },
    /** Gives the device a new key and certificate. The directory keeps the old key's entry, as Entra does, unless it is forgotten. */
    rollKey: async (deviceId: string, { oldKey }: { oldKey: 'kept' | 'forgotten' }): Promise<DeviceCredentials> => {
      const device = find(deviceId);
      const credentials = await authority.issue(device.deviceId, 'short');
      const others = device.alternativeSecurityIds.filter(({ type }) => type !== 2 || oldKey === 'kept');
      device.alternativeSecurityIds = [...others, toSecurityId(credentials.certificatePem)];
      return credentials;
    },
    /** A certificate from an authority of the same name, for a device id, with a key that the directory does not know. */
    forge: (deviceId: string): Promise<DeviceCredentials> => authority.issue(deviceId, 'short'),
    delete: (deviceId: string): void => {
      devices.delete(find(deviceId).deviceId);
    },
    get: (deviceId: string): DirectoryDevice | undefined => devices.get(deviceId.toLowerCase()),
    /** In the order in which they joined. */
    all: (): DirectoryDevice[] => [...devices.values()],
    clear: (): void => devices.clear(),
  };
}
