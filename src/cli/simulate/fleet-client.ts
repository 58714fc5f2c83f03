// Submits for every device of a fleet: each signs with its own key, derived from the first of DEVICE_GROUP_KEYS.
import { parseGroupKeys } from '../../config/environment.ts';
import { submit } from '../../device/device-client.ts';
import type { SubmitOutcome } from '../../device/outcome.ts';
import { deriveDeviceKey } from '../../domain/submission/device-key.ts';
import type { FleetRunResult } from '../../sandbox/fleet/device.ts';
import { EXIT } from '../exit.ts';
import { OperatorError } from '../operator/operator.ts';

/** @throws OperatorError if the environment has no group key */
export function createFleetClient(baseUrl: string): (run: FleetRunResult) => Promise<SubmitOutcome> {
  const [groupKey] = parseGroupKeys(process.env['DEVICE_GROUP_KEYS']);
  if (!groupKey) throw new OperatorError('DEVICE_GROUP_KEYS must hold base64 keys of 16 to 64 bytes', EXIT.usage);
  return (run) => {
    const deviceKey = deriveDeviceKey(groupKey, run.deviceId).toString('base64');
    return submit(run, { baseUrl, deviceId: run.deviceId, deviceKey });
  };
}
