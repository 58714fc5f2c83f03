// What is left of a delivered run once its details are dropped: enough to answer its device, and the same run sent again.
import { hash } from 'node:crypto';

/** Instants are milliseconds since 1970. Its run, device, configuration and attempts are no longer known. */
export type CompactedDelivery = {
  id: string;
  tenantId: string;
  acceptedAt: number;
  deliveredAt: number;
  /** From `toDeviceTag`. */
  deviceTag: string;
};

const TAG_BYTES = 8;

/** Recognises the device of a delivery without naming it: the tags of one device's deliveries have nothing in common. */
export function toDeviceTag(deliveryId: string, deviceId: string): string {
  const digest = hash('sha256', JSON.stringify([deliveryId, deviceId]), 'buffer');
  return digest.subarray(0, TAG_BYTES).toString('base64url');
}

export const isOfDevice = ({ id, deviceTag }: CompactedDelivery, deviceId: string): boolean =>
  toDeviceTag(id, deviceId) === deviceTag;
