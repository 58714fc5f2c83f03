// `device`: lists, revokes and restores devices.
import { revocationSchema, revokedSchema, type RevocationView } from '../../http/response/response-schemas.ts';
import { EXIT } from '../exit.ts';
import { operate, OperatorError, type OperatorFlags } from './operator.ts';
import { print, printJson } from '../out.ts';
import { deviceIdSchema } from '../../domain/submission/run-result.ts';

export type DeviceFlags = OperatorFlags & { json?: true };

export async function listRevoked(flags: DeviceFlags): Promise<void> {
  const { revoked } = await operate(flags, '/v1/devices/revoked', { schema: revokedSchema });
  if (flags.json) printJson(revoked);
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

async function change(deviceId: string, what: 'revoke' | 'restore', flags: DeviceFlags): Promise<RevocationView> {
  if (!deviceIdSchema.safeParse(deviceId).success) {
    throw new OperatorError('a device id is 1 to 128 of A–Z a–z 0–9 . _ -', EXIT.usage);
  }
  return operate(flags, `/v1/devices/${encodeURIComponent(deviceId)}/${what}`, { schema: revocationSchema, body: {} });
}
