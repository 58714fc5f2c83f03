// `device-key`: prints the key to install on a device, derived from the first group key.
import { parseGroupKeys } from '../config/environment.ts';
import { deriveDeviceKey } from '../domain/submission/device-key.ts';
import { deviceIdSchema } from '../domain/submission/run-result.ts';
import { EXIT } from './exit.ts';
import { printError, print } from './out.ts';

export function printDeviceKey(deviceId: string): void {
  const [groupKey] = parseGroupKeys(process.env['DEVICE_GROUP_KEYS']);
  if (!groupKey) {
    printError('DEVICE_GROUP_KEYS must hold base64 keys of 16 to 64 bytes; the first one signs');
    process.exitCode = EXIT.usage;
  } else if (!deviceIdSchema.safeParse(deviceId).success) {
    printError('a device id is 1 to 128 of A–Z a–z 0–9 . _ -');
    process.exitCode = EXIT.usage;
  } else {
    print(deriveDeviceKey(groupKey, deviceId).toString('base64'));
  }
}
