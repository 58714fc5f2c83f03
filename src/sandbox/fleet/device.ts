// A simulated device and its run result: realistic, and different for each device.
import { pick, wholeNumber } from '../random.ts';
import type { Random } from '../random.ts';
import { dellModels, runDell } from './vendor-dell.ts';
import { hpModels, runHp } from './vendor-hp.ts';
import { lenovoModels, runLenovo } from './vendor-lenovo.ts';
import type { Course, Machine, VendorRun } from './vendor-run.ts';

/** A run result as a device sends it. */
export type FleetRunResult = {
  runId: string;
  deviceId: string;
  hardwareConfigurationId: string;
  deviceName: string;
  osVersion?: string;
  upn?: string | null;
  policyVersion: number;
  completedAt: string;
} & VendorRun;

export type DevicePlan = { number: number; configurationIds: readonly string[]; nowMs: number };

const vendors = [
  { prefix: 'DEL', models: dellModels, run: runDell, policyVersion: 4 },
  { prefix: 'HPI', models: hpModels, run: runHp, policyVersion: 7 },
  { prefix: 'LNV', models: lenovoModels, run: runLenovo, policyVersion: 2 },
] as const;

const sites = ['BER', 'MUC', 'PAR', 'OSL', 'AUS'] as const;
const people = ['a.nowak', 'j.müller', 'm.lefèvre', 's.okafor', 'k.larsen', "r.o'brien"] as const;
const offsets = ['+01:00', '+02:00', '-05:00', '-08:00', '+05:30', 'Z'] as const;
const serialLetters = 'BCDFGHJKLMNPQRSTVWXYZ0123456789';

/** The run result of the fleet's n-th device. */
export function planRunResult(random: Random, { number, configurationIds, nowMs }: DevicePlan): FleetRunResult {
  const vendorIndex = number % vendors.length;
  const vendor = vendors[vendorIndex] ?? vendors[0];
  const machine = planMachine(random, vendor, number);
  const build = pick(random, ['22631', '26100']);
  const withoutUser: Pick<FleetRunResult, 'upn'> = random() < 0.5 ? {} : { upn: null };
  return {
    runId: `run-${wholeNumber(random, 0, 0xffff).toString(16).padStart(4, '0')}-${number}`,
    deviceId: machine.deviceId,
    hardwareConfigurationId: configurationIds[vendorIndex % configurationIds.length] ?? '',
    deviceName: machine.deviceName,
    ...(random() < 0.95 ? { osVersion: `10.0.${build}.${wholeNumber(random, 1000, 4999)}` } : {}),
    ...(random() < 0.8 ? { upn: `${pick(random, people)}@contoso.example` } : withoutUser),
    policyVersion: vendor.policyVersion,
    completedAt: planCompletedAt(random, nowMs),
    ...vendor.run(random, planCourse(random), machine),
  };
}

function planMachine(random: Random, vendor: (typeof vendors)[number], number: number): Machine {
  const letter = () => serialLetters[wholeNumber(random, 0, serialLetters.length - 1)] ?? 'B';
  const serial = Array.from({ length: 7 }, letter).join('');
  const fleetNumber = number.toString().padStart(5, '0');
  return {
    deviceId: `${vendor.prefix.toLowerCase()}-${fleetNumber}-${serial.toLowerCase()}`,
    deviceName: `${pick(random, sites)}-${vendor.prefix}-${fleetNumber}`,
    model: pick<string>(random, vendor.models),
    serial,
  };
}

function planCourse(random: Random): Course {
  const thrown = random();
  if (thrown < 0.8) return 'success';
  if (thrown < 0.88) return 'reboot-pending';
  if (thrown < 0.94) return 'fail';
  return thrown < 0.97 ? 'script-error' : 'not-applicable';
}

function planCompletedAt(random: Random, nowMs: number): string {
  const offset = pick(random, offsets);
  const [hours = 0, minutes = 0] = offset === 'Z' ? [] : offset.slice(1).split(':').map(Number);
  const offsetMs = (hours * 60 + minutes) * 60_000 * (offset.startsWith('-') ? -1 : 1);
  const agoMs = wholeNumber(random, 1000, 86_400_000);
  const local = new Date(nowMs - agoMs + offsetMs).toISOString().slice(0, 19);
  const digits = wholeNumber(random, 0, 7);
  const fraction = Array.from({ length: digits }, () => wholeNumber(random, 0, 9)).join('');
  return `${local}${digits === 0 ? '' : '.'}${fraction}${offset}`;
}
