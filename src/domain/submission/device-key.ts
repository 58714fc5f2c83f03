// The key of one device, derived from a group key that never leaves the server (the Azure DPS derivation).
import { createHmac, type KeyObject } from 'node:crypto';

/**
 * Derives a device's key: HMAC-SHA256 over the device id with the group key.
 * @param groupKey the decoded group key, 16–64 bytes
 * @returns the 32 bytes the device signs with; base64 of them is what is installed on the device
 * Source: Azure IoT DPS, "symmetric key attestation", group enrolments.
 */
export function deriveDeviceKey(groupKey: Uint8Array | KeyObject, deviceId: string): Buffer {
  return createHmac('sha256', groupKey).update(deviceId, 'utf8').digest();
}
