// The submitted run results as bytes for the wire, made and signed before any measurement.
import { createSecretKey, randomUUID } from 'node:crypto';
import { deriveDeviceKey } from '../../src/domain/submission/device-key.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import { signRequest } from '../../src/device/sign-request.ts';

/** What each request contains, and for which kind of service. */
export type Form = {
  groupKey: string;
  /** Services that verify nothing get no signatures either. */
  signed: boolean;
  /** Run results per request; null for the single route. */
  perBatch: number | null;
};

export const RUN_RESULT_BYTES = 1024;

/** How many devices take turns: more than any key cache holds, so that every key is derived again. */
const DEVICES = 20_000;
const CONFIGURATION_ID = '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81';
const OUTPUT = [
  'Dell Command | Configure 5.1.0: checking 14 settings of profile "Baseline 2026"',
  'SecureBoot: Enabled, as wanted',
  'TpmSecurity: Enabled, as wanted',
  'WakeOnLan: LanOnly -> Disabled, changed',
  'UefiBootPathSecurity: AlwaysExceptInternalHdd -> Always, changed',
  'BootList: uefi; active boot order kept: 1 Windows Boot Manager, 2 Onboard NIC (IPV4)',
  'FastBoot: Thorough, as wanted; Microphone: Enabled, as wanted; Camera: Enabled, as wanted',
  'BIOS version 1.24.0 (2026-09-11), AC adapter connected, battery at 84 %',
  '',
].join('\r\n');

/** Makes requests that are all different. */
export async function makeRequests(count: number, { groupKey, signed, perBatch }: Form): Promise<Buffer[]> {
  const group = createSecretKey(Buffer.from(groupKey, 'base64'));
  const path = perBatch === null ? '/v1/run-results' : '/v1/run-results/batch';
  const createdAtS = Math.floor(Date.now() / 1000);
  const requests: Buffer[] = [];
  for (let number = 0; number < count; number += 1) {
    const deviceId = `BER-LAT-${String(number % DEVICES).padStart(6, '0')}`;
    const body =
      perBatch === null
        ? JSON.stringify(aRunResult(deviceId))
        : JSON.stringify(Array.from({ length: perBatch }, () => aRunResult(deviceId)));
    const headers = signed
      ? await signRequest({
          method: 'POST',
          url: `http://bridge${path}`,
          body,
          deviceId,
          deviceKey: deriveDeviceKey(group, deviceId).toString('base64'),
          createdAtS,
        })
      : {};
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: bridge',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    requests.push(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`));
  }
  return requests;
}

/** A new run result, whose JSON is RUN_RESULT_BYTES long. */
export function aRunResult(deviceId: string): RunResult {
  const run: RunResult = {
    runId: randomUUID(),
    deviceId,
    hardwareConfigurationId: CONFIGURATION_ID,
    deviceName: deviceId,
    osVersion: '10.0.26100.2314',
    policyVersion: 4,
    completedAt: '2026-11-23T10:00:00.1234567+01:00',
    exitCode: 0,
    output: OUTPUT,
  };
  const room = RUN_RESULT_BYTES - Buffer.byteLength(JSON.stringify(run));
  return { ...run, output: OUTPUT + '.'.repeat(room) };
}
