// How Redis keeps a device of the directory: an id of 16 bytes, and 25 bytes for a device with one key.
import type { KnownDevice } from '../../domain/directory/consult.ts';
import type { DirectoryDevice } from '../../domain/directory/directory-device.ts';

const ENABLED = 1;
const MANAGED = 2;
/** Flags, asked at, used at; the instants in whole seconds. */
const HEAD_BYTES = 9;
const DIGEST_BYTES = 16;

export const packId = (deviceId: string): Buffer => Buffer.from(toHex(deviceId), 'hex');

export const unpackId = (id: Buffer): string =>
  id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** The arguments of `directory/save-device`. */
export const packDevice = (
  deviceId: string,
  { isEnabled, isManaged, keys }: DirectoryDevice,
  askedAt: number,
): string[] => [
  toHex(deviceId),
  ((isEnabled ? ENABLED : 0) + (isManaged ? MANAGED : 0)).toString(16).padStart(2, '0'),
  packInstant(askedAt),
  keys.join(''),
];

/** The arguments of `directory/note-use`. */
export const packUse = (deviceId: string, usedAt: number): string[] => [toHex(deviceId), packInstant(usedAt)];

export function unpackDevice(bytes: Buffer): KnownDevice {
  const flags = bytes.readUInt8(0);
  return {
    isEnabled: (flags & ENABLED) > 0,
    isManaged: (flags & MANAGED) > 0,
    askedAt: bytes.readUInt32BE(1) * 1000,
    usedAt: bytes.readUInt32BE(5) * 1000,
    keys: Array.from({ length: (bytes.length - HEAD_BYTES) / DIGEST_BYTES }, (_none, index) =>
      bytes.toString('hex', HEAD_BYTES + index * DIGEST_BYTES, HEAD_BYTES + (index + 1) * DIGEST_BYTES),
    ),
  };
}

/** The 16 bytes of an id, as scripts take them. */
export const toHex = (deviceId: string): string => deviceId.replaceAll('-', '');
const packInstant = (at: number): string =>
  Math.floor(at / 1000)
    .toString(16)
    .padStart(8, '0');
