// The stored form of a device's last run result: what scripts are given, and what they return.
import { hash } from 'node:crypto';
import type { Status } from '../../domain/delivery.ts';
import { toDeviceRunState } from '../../domain/device-run-state.ts';
import { toConfigurationId } from '../../domain/hold/hold.ts';
import type { DeviceReport } from '../../domain/lists/device-list.ts';
import type { RunResult, RunState } from '../../domain/submission/run-result.ts';
import { STATUS_CODES } from '../lua/constants.ts';
import { DecryptionFailed, type PayloadCipher } from '../store/payload-cipher.ts';

/** Stands for a state that is not known. */
const UNKNOWN_STATE = '-';

const STATUS_OF = Object.fromEntries(Object.entries(STATUS_CODES).map(([status, code]) => [code, status as Status]));

/** A short key for a device; reveals nothing about the id to readers of Redis. */
export function deviceKey(tenantId: string, deviceId: string): string {
  return hash('sha256', JSON.stringify([tenantId, deviceId]), 'base64url').slice(0, 12);
}

type Reported = Pick<RunResult, 'deviceId'> & { deviceName: string | null };

const toName = (key: string, { deviceId, deviceName }: Reported, { seal }: PayloadCipher) =>
  seal(JSON.stringify([deviceId, deviceName]), key);

/** Device key, name and run state, as the scripts take them. */
export function toReportArgs(tenantId: string, run: RunResult, cipher: PayloadCipher): [string, string, string] {
  const key = deviceKey(tenantId, run.deviceId);
  return [key, toName(key, run, cipher), toDeviceRunState(run).configurationState];
}

/** The same for a run result of which only the device is known. */
export function toReportArgsWithoutRun(
  tenantId: string,
  deviceId: string,
  cipher: PayloadCipher,
): [string, string, string] {
  const key = deviceKey(tenantId, deviceId);
  return [key, toName(key, { deviceId, deviceName: null }, cipher), UNKNOWN_STATE];
}

type StoredReport = { tenantId: string; key: string; name: string; report: string; statusCode: string };

/** Null if it is sealed with an unknown key. */
export function parseReport(
  { tenantId, key, name, report, statusCode }: StoredReport,
  cipher: PayloadCipher,
): DeviceReport | null {
  const device = openName(key, name, cipher);
  if (!device) return null;
  const [configuration = '', state = '', failures, reportedAt, deliveryId = ''] = report.split(' ');
  return {
    tenantId,
    deviceId: device[0],
    deviceName: device[1],
    hardwareConfigurationId: toConfigurationId(configuration),
    reportedAt: Number(reportedAt),
    state: state === UNKNOWN_STATE ? null : (state as RunState),
    failuresInARow: Number(failures),
    deliveryId,
    status: STATUS_OF[statusCode] ?? null,
  };
}

/** A name as it is when sealed with the first key; null if it is already, or was sealed with an unknown one. */
export function resealName(key: string, name: string, cipher: PayloadCipher): string | null {
  if (cipher.isCurrent(name)) return null;
  const device = openName(key, name, cipher);
  return device && cipher.seal(JSON.stringify(device), key);
}

function openName(key: string, name: string, { open }: PayloadCipher): [deviceId: string, name: string | null] | null {
  try {
    return JSON.parse(open(name, key)) as [string, string | null];
  } catch (error) {
    if (error instanceof DecryptionFailed) return null;
    throw error;
  }
}
