// What Graph is to store of a run, in Graph's words, and the mapping from a run result to it.
import type { RunResult, RunState } from './submission/run-result.ts';

/** The writable members of Graph's hardwareConfigurationDeviceState, and the configuration they belong to. */
export type DeviceRunState = {
  hardwareConfigurationId: string;
  deviceName: string;
  internalVersion: number;
  lastStateUpdateDateTime: string;
  configurationState: RunState;
  osVersion?: string;
  upn?: string | null;
  configurationOutput?: string;
  configurationError?: string;
};

/** ERROR_SUCCESS_REBOOT_REQUIRED and ERROR_SUCCESS_REBOOT_INITIATED: done, but a reboot is outstanding. */
const REBOOT_OUTSTANDING = [3010, 1641];

/** Maps a run result to what Graph stores; what the device did not say is left out. */
export function toDeviceRunState(run: RunResult): DeviceRunState {
  return {
    hardwareConfigurationId: run.hardwareConfigurationId,
    deviceName: run.deviceName,
    internalVersion: run.policyVersion,
    lastStateUpdateDateTime: run.completedAt,
    configurationState: run.state ?? toRunState(run.exitCode),
    ...(run.osVersion !== undefined && { osVersion: run.osVersion }),
    ...(run.upn !== undefined && { upn: run.upn }),
    ...(run.output !== undefined && { configurationOutput: run.output }),
    ...(run.error !== undefined && { configurationError: run.error }),
  };
}

function toRunState(exitCode: number | undefined): RunState {
  if (exitCode === undefined) return 'unknown';
  if (exitCode === 0) return 'success';
  return REBOOT_OUTSTANDING.includes(exitCode) ? 'pending' : 'fail';
}
