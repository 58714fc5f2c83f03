// `device`: lists, revokes, restores and retires devices, and forgets what the directory said about one.
import {
  forgottenSchema,
  retirementSchema,
  revocationSchema,
  revokedSchema,
  type RevocationView,
} from '../../../http/response/response-schemas.ts';
import { EXIT } from '../../exit.ts';
import { operate, OperatorError, type OperatorFlags } from '../operator.ts';
import { print, printJson } from '../../out.ts';
import { deviceIdSchema } from '../../../domain/submission/run-result.ts';

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

export async function retire(deviceId: string, flags: DeviceFlags): Promise<void> {
  const { changed } = await operate(flags, toPath(deviceId, 'retire'), { schema: retirementSchema, body: {} });
  print(changed ? `What ${deviceId} reported is forgotten.` : `${deviceId} has not reported.`);
}

export async function forget(deviceId: string, flags: DeviceFlags): Promise<void> {
  const { changed, asked } = await operate(flags, toPath(deviceId, 'forget'), { schema: forgottenSchema, body: {} });
  const next = asked ? 'the directory is asked again.' : 'the directory is not asked now.';
  print(`${changed ? `${deviceId} is forgotten` : `Nothing was remembered about ${deviceId}`}; ${next}`);
}

async function change(deviceId: string, what: 'revoke' | 'restore', flags: DeviceFlags): Promise<RevocationView> {
  return operate(flags, toPath(deviceId, what), { schema: revocationSchema, body: {} });
}

function toPath(deviceId: string, what: 'revoke' | 'restore' | 'retire' | 'forget'): string {
  if (!deviceIdSchema.safeParse(deviceId).success) {
    throw new OperatorError('a device id is 1 to 128 of A–Z a–z 0–9 . _ -', EXIT.usage);
  }
  return `/v1/devices/${encodeURIComponent(deviceId)}/${what}`;
}
