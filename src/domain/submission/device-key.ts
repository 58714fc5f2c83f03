// A device's key, derived from a group key that never leaves the server (derivation as in Azure DPS).
import { createHmac, type KeyObject } from 'node:crypto';

/**
 * Derives a device's key: HMAC-SHA256 over the device id with the group key.
 * @param groupKey the decoded group key, 16–64 bytes
 * @returns the 32 bytes the device signs with; they are installed on the device as base64
 * Source: Azure IoT DPS, "symmetric key attestation", group enrolments.
 */
export function deriveDeviceKey(groupKey: Uint8Array | KeyObject, deviceId: string): Buffer {
  return createHmac('sha256', groupKey).update(deviceId, 'utf8').digest();
}
