// The end of the demo: checks each device's delivery against the sandbox's records, and prints the summary.
import { readDelivery } from '../../device/device-client.ts';
import type { CredentialsOf } from './fleet-credentials.ts';
import type { FleetRunResult } from '../../sandbox/fleet/device.ts';
import type { Fleet } from '../../sandbox/fleet/fleet.ts';
import type { FleetResult } from './fleet-run.ts';
import type { Identity } from '../../sandbox/fleet/identity.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { identify } from '../../domain/delivery.ts';
import { DEFAULT_TENANT } from '../../config/tenants/tenant.ts';
import { print } from '../out.ts';
import { toTable } from '../table.ts';

/** What the check found: deliveries in order, records in the sandbox, and a line for each fault. */
export type Checked = { delivered: number; records: number; duplicates: number; faults: string[] };

type FinishedRun = { fleet: Fleet; baseUrl: string; credentialsOf: CredentialsOf; sandbox: Sandbox };

/** Reads each delivery as its device, and checks that it is delivered and has a record of its own. */
export async function checkDeliveries({ fleet, baseUrl, credentialsOf, sandbox }: FinishedRun): Promise<Checked> {
  const records = new Map(sandbox.records().map((record) => [record.id, record]));
  const seen = new Set<string>();
  const faults: string[] = [];
  for (const submission of fleet.submissions.filter(({ expected }) => expected === 'accepted')) {
    const { deviceId, runId, deviceName } = submission.runResult as FleetRunResult;
    const id = identify(DEFAULT_TENANT, deviceId, runId);
    const read = await readDelivery(id, { baseUrl, deviceId, ...credentialsOf(submission) });
    const recordId = read.kind === 'found' ? (read.delivery.deviceRunStateId ?? '') : '';
    if (read.kind !== 'found' || read.delivery.status !== 'delivered') {
      faults.push(`${deviceName} is not delivered: ${read.kind === 'found' ? read.delivery.status : read.kind}`);
    } else if (records.get(recordId)?.deviceName !== deviceName || seen.has(recordId)) {
      faults.push(`${deviceName} has no record of its own in Graph`);
    }
    seen.add(recordId);
  }
  if (records.size !== fleet.runResults.length) {
    faults.push(`Graph holds ${records.size} records for ${fleet.runResults.length} run results`);
  }
  const delivered = fleet.runResults.length - faults.length;
  return { delivered: Math.max(0, delivered), records: records.size, duplicates: sandbox.stats().duplicates, faults };
}

export function printSummary(summary: {
  result: FleetResult;
  checked: Checked;
  fleet: Fleet;
  sandbox: Sandbox;
  seconds: number;
}): void {
  const { result, checked, fleet, sandbox, seconds } = summary;
  const stats = sandbox.stats();
  const codes = result.surprises.length === 0 ? 'all as planned' : `${result.surprises.length} not as planned`;
  const devicesOf = (identity: Identity) =>
    fleet.submissions.filter((planned) => planned.expected === 'accepted' && planned.identity === identity).length;
  const rows = [
    ['devices', fleet.devices, ''],
    ['  with a derived key', devicesOf('derived-key'), 'handed out to each'],
    ['  fleet certificate', devicesOf('fleet-certificate'), 'DEVICE_CA_FILE'],
    ['  Entra certificate', devicesOf('entra-certificate'), 'DEVICE_DIRECTORY=entra'],
    ['directory asked', stats.byOperation['device'] ?? 0, 'by the worker: the API has no credential'],
    ['submissions', result.submitted, codes],
    ['  accepted', result.accepted, '202: stored, fsynced'],
    ['  known already', result.duplicate, '200: the same receipt again'],
    ['  refused', result.refused, '401 not who they say, 422 malformed'],
    ['in Graph', checked.records, checked.faults.length === 0 ? 'once each' : 'see below'],
    ['  duplicates', checked.duplicates, ''],
    ['creates sent', stats.byOperation['create'] ?? 0, `${stats.faultsGiven} answered with a fault`],
    ['  looked up first', stats.byOperation['list'] ?? 0, 'their answer was lost'],
    ['  throttled (429)', stats.answered429, `${(100 * stats.share429).toFixed(1)} %`],
    ['seconds', seconds.toFixed(1), ''],
  ];
  print(...toTable(['what', 'how many', ''], rows));
}
