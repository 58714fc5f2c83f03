// What there is to send: run results for the product, device run states for its peers, all alike but for the device.
import { toDeviceRunState, type DeviceRunState } from '../../src/domain/device-run-state.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';

/** A peer has so many requests on their way at most: few, so that a refusal finds few behind it. */
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
