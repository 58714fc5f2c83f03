// Devices of several tenants as one list, and which of the expected ones are missing in all of them.
import { mergeDevicePages } from '../../domain/lists/device-list.ts';
import type { DeviceFilter, DevicePage, DevicePosition, DeviceReport } from '../../domain/lists/device-list.ts';
import type { ServedTenant } from './served-tenant.ts';
import { shareOfPage } from './share-of-page.ts';

/** What is listed, from where on. `silentForMs`: at least for this long. */
export type DeviceQuery = {
  filter: Omit<DeviceFilter, 'silentSince'>;
  silentForMs: number | undefined;
  limit: number;
  after: DevicePosition | null;
};

export async function listDevices(
  tenants: readonly ServedTenant[],
  { filter, silentForMs, limit, after }: DeviceQuery,
): Promise<DevicePage> {
  const share = shareOfPage(limit, tenants.length);
  const pages = tenants.map(({ reports, now }) => {
    const silentSince = silentForMs === undefined ? undefined : now() - silentForMs;
    return reports.list({ ...filter, silentSince }, share, after);
  });
  return mergeDevicePages(await Promise.all(pages), limit);
}

/** All pages up to `limit` devices. */
export async function* eachDevicePage(
  tenants: readonly ServedTenant[],
  query: DeviceQuery,
  pageSize: number,
): AsyncGenerator<DeviceReport[]> {
  let [left, after] = [query.limit, query.after];
  do {
    const page = await listDevices(tenants, { ...query, limit: Math.min(left, pageSize), after });
    yield page.reports.map(({ report }) => report);
    left -= page.reports.length;
    after = page.next;
  } while (after !== null && left > 0);
}

const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

export type Expected = { deviceIds: readonly string[]; hardwareConfigurationId: string | undefined };

/** When each of these devices reported last, to whichever tenant, in milliseconds since 1970; null for one that never did. */
export async function findReportedAt(
  tenants: readonly ServedTenant[],
  { deviceIds, hardwareConfigurationId }: Expected,
): Promise<(number | null)[]> {
  // Directories write GUIDs in lower case; lists made elsewhere may not.
  const inLowerCase = deviceIds.map((id) => (GUID.test(id) ? id.toLowerCase() : id));
  const spellings = inLowerCase.every((id, index) => id === deviceIds[index]) ? [deviceIds] : [deviceIds, inLowerCase];
  const latest = deviceIds.map((): number | null => null);
  // A thousand keys are computed for each tenant: one after the other, so that other requests are served in between.
  for (const { reports } of tenants)
    for (const ids of spellings)
      for (const [index, at] of (await reports.reportedAt(ids, hardwareConfigurationId)).entries())
        if (at !== null) latest[index] = Math.max(at, latest[index] ?? at);
  return latest;
}
