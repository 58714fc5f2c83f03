// What is known of a device's last run results, what an operator lists devices by, and the cursor of the list.
import type { Status } from '../delivery.ts';
import type { RunState } from '../submission/run-result.ts';

/** The last run result of a device for a hardware configuration. It outlives the delivery. */
export type DeviceReport = {
  tenantId: string;
  deviceId: string;
  /** Null if only the delivery of an earlier version is known. */
  deviceName: string | null;
  hardwareConfigurationId: string;
  /** When it was accepted, in milliseconds since 1970. */
  reportedAt: number;
  /** Null as for the name. */
  state: RunState | null;
  /** How many in a row failed, this one included. */
  failuresInARow: number;
  deliveryId: string;
  /** Null once the delivery is no longer stored. */
  status: Status | null;
};

/** Without members: each device's last run result. */
export type DeviceFilter = {
  /** The last run result for each of the device's configurations. */
  deviceId?: string | undefined;
  /** The last run result for this configuration. In lower case. */
  hardwareConfigurationId?: string | undefined;
  /** Whose last run result was accepted at this instant or earlier. Milliseconds since 1970. */
  silentSince?: number | undefined;
  /** Whose last run results for a configuration failed, this many in a row or more; at least two. */
  failuresInARow?: number | undefined;
};

/** Directly after this entry of the list: its key, and the value that the list is ordered by. */
export type DevicePosition = { value: number; key: string };

export type ListedReport = { report: DeviceReport; position: DevicePosition };

/** A page may have fewer reports than asked for although more follow; `next` is null on the last one. */
export type DevicePage = { reports: ListedReport[]; next: DevicePosition | null };

/** Fewer are no reason to list a device among those that fail again and again. */
export const LEAST_FAILURES_IN_A_ROW = 2;

/** How a run state changes the number of failures in a row. What is not finished says nothing. */
export function countFailures(state: RunState, before: number): number {
  switch (state) {
    case 'fail':
    case 'scriptError':
      return before + 1;
    case 'success':
    case 'notApplicable':
      return 0;
    case 'pending':
    case 'unknown':
      return before;
  }
}

export function isListedReport(report: DeviceReport, filter: DeviceFilter): boolean {
  const { deviceId, hardwareConfigurationId, silentSince, failuresInARow } = filter;
  return (
    (deviceId === undefined || report.deviceId === deviceId) &&
    (hardwareConfigurationId === undefined || report.hardwareConfigurationId === hardwareConfigurationId) &&
    (silentSince === undefined || report.reportedAt <= silentSince) &&
    (failuresInARow === undefined || report.failuresInARow >= failuresInARow)
  );
}

/** Newest first, or most failures first; then by key. */
export const inOrder = (a: DevicePosition, b: DevicePosition): number =>
  b.value - a.value || (a.key === b.key ? 0 : a.key < b.key ? 1 : -1);

/**
 * Merges pages of several lists. Where one ends early, what follows in it may come before what the others had: only what
 * no list can add to is on the page.
 */
export function mergeDevicePages(pages: readonly DevicePage[], limit: number): DevicePage {
  const [reached] = pages.flatMap(({ next }) => next ?? []).toSorted(inOrder);
  const merged = pages.flatMap(({ reports }) => reports).toSorted((a, b) => inOrder(a.position, b.position));
  const settled = reached ? merged.filter(({ position }) => inOrder(position, reached) <= 0) : merged;
  const reports = settled.slice(0, limit);
  return { reports, next: settled.length > limit ? (reports.at(-1)?.position ?? null) : (reached ?? null) };
}

export const toDeviceCursor = ({ value, key }: DevicePosition): string => `${value.toString(36)}.${key}`;

/** The position a cursor encodes; null if we did not issue it. */
export function parseDeviceCursor(cursor: string): DevicePosition | null {
  const [, text = '', key = ''] = /^([\da-z]{1,10})\.([\w-]{12}(?:\.[\w-]{22})?)$/.exec(cursor) ?? [];
  const value = Number.parseInt(text, 36);
  return Number.isSafeInteger(value) && key !== '' ? { value, key } : null;
}
