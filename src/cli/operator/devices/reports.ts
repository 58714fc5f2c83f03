// `device last`, `silent` and `failing`: what devices reported last; as a table, JSON, CSV or NDJSON.
import { deviceListSchema } from '../../../http/response/response-schemas.ts';
import { print, printJson } from '../../out.ts';
import { toTable } from '../../table.ts';
import { download, readList, type ListFlags } from '../listing.ts';

export type ReportsFlags = ListFlags & { device?: string; configuration?: string };
export type SilentFlags = ReportsFlags & { for: number; expected?: string };
export type FailingFlags = ReportsFlags & { runs: number };

export const listLast = (flags: ReportsFlags): Promise<void> =>
  list(flags, {}, flags.device === undefined ? 'No device has reported.' : `${flags.device} has not reported.`);

export const listSilent = (flags: SilentFlags): Promise<void> =>
  list(flags, { silentForH: String(flags.for) }, `No device has been silent for ${flags.for} h or longer.`);

export const listFailing = (flags: FailingFlags): Promise<void> =>
  list(flags, { failuresInARow: String(flags.runs) }, `No device has failed ${flags.runs} times in a row.`);

async function list(flags: ReportsFlags, query: Record<string, string>, ifNone: string): Promise<void> {
  const { device, configuration } = flags;
  const all = { deviceId: device, hardwareConfigurationId: configuration, ...query };
  const route = { path: '/v1/devices', query: all };
  if (flags.format !== undefined) return download(flags, route, flags.format);
  const listed = await readList(flags, route, {
    schema: deviceListSchema,
    entries: ({ devices }) => devices,
    nextCursor: ({ nextCursor }) => nextCursor,
  });
  if (flags.json) {
    printJson(listed);
    return;
  }
  if (listed.length === 0) {
    print(ifNone);
    return;
  }
  const isOne = new Set(listed.map(({ tenant }) => tenant)).size === 1;
  const rows = listed.map((report) => [
    report.reportedAt.slice(0, 19).replace('T', ' '),
    ...(isOne ? [] : [report.tenant]),
    report.deviceId,
    report.deviceName ?? '',
    report.failuresInARow > 1 ? `${report.state ?? ''} (${report.failuresInARow} in a row)` : (report.state ?? ''),
    report.status ?? 'no longer stored',
    report.deliveryId,
    // A device may be listed for several, and fails for one of them.
    ...(configuration === undefined ? [report.hardwareConfigurationId] : []),
  ]);
  const head = ['reported (UTC)', ...(isOne ? [] : ['tenant']), 'device', 'name', 'state', 'status', 'delivery'];
  print(...toTable([...head, ...(configuration === undefined ? ['configuration'] : [])], rows));
}
