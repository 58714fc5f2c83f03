// The load: run results for the product, device run states for its peers, identical but for the device.
import { toDeviceRunState, type DeviceRunState } from '../../src/domain/device-run-state.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';

/** Concurrent requests of a peer: few, so that few are in flight when one is refused. */
export const PEER_AT_ONCE = 8;

export function aRun(hardwareConfigurationId: string, name: string): RunResult {
  return {
    runId: `run-${name}`,
    deviceId: `device-${name}`,
    hardwareConfigurationId,
    deviceName: `PC-${name}`,
    policyVersion: 4,
    completedAt: '2026-11-23T10:00:00.1234567+01:00',
    exitCode: 0,
    output: 'BIOS settings applied',
  };
}

export function aState(hardwareConfigurationId: string, name: string): DeviceRunState {
  return toDeviceRunState(aRun(hardwareConfigurationId, name));
}
