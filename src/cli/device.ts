// `device`: which devices are revoked, revoke one, restore one.
import { EXIT } from './exit.ts';
import { operate, OperatorError, type OperatorFlags } from './operator.ts';
import { print } from './out.ts';
import { deviceIdSchema } from '../domain/run-result.ts';

export type DeviceFlags = OperatorFlags & { json?: true };

type Revocation = { deviceId: string; revoked: boolean; changed: boolean };

export async function listRevoked(flags: DeviceFlags): Promise<void> {
  const { revoked } = await operate<{ revoked: { deviceId: string; revokedAt: string }[] }>(
    flags,
    '/v1/devices/revoked',
  );
  if (flags.json) print(JSON.stringify(revoked, null, 2));
  else if (revoked.length === 0) print('No device is revoked.');
  else for (const { deviceId, revokedAt } of revoked) print(`${revokedAt}  ${deviceId}`);
}

export async function revoke(deviceId: string, flags: DeviceFlags): Promise<void> {
  const { changed } = await change(deviceId, 'revoke', flags);
  print(changed ? `${deviceId} is revoked.` : `${deviceId} was revoked already.`);
}

export async function restore(deviceId: string, flags: DeviceFlags): Promise<void> {
  const { changed } = await change(deviceId, 'restore', flags);
  print(changed ? `${deviceId} is restored.` : `${deviceId} was not revoked.`);
}

async function change(deviceId: string, what: 'revoke' | 'restore', flags: DeviceFlags): Promise<Revocation> {
  if (!deviceIdSchema.safeParse(deviceId).success) {
    throw new OperatorError('a device id is 1 to 128 of A–Z a–z 0–9 . _ -', EXIT.usage);
  }
  return operate<Revocation>(flags, `/v1/devices/${encodeURIComponent(deviceId)}/${what}`, {});
}
