// The order of summaries, and the cursor of a list's pages.
import { parseDate, toDate } from '../summaries/day.ts';
import type { SummaryName } from '../summaries/summary.ts';

/** By day, then configuration, then tenant; what configurations share comes after theirs. */
export const inSummaryOrder = (a: SummaryName, b: SummaryName): number =>
  a.day - b.day ||
  compare(a.hardwareConfigurationId ?? SHARED, b.hardwareConfigurationId ?? SHARED) ||
  compare(a.tenantId, b.tenantId);

const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -1 : 1);

/** In a cursor, and in the order, in place of a configuration. */
const SHARED = 'others';

export const toSummaryCursor = ({ day, hardwareConfigurationId, tenantId }: SummaryName): string =>
  `${toDate(day)}.${hardwareConfigurationId ?? SHARED}.${tenantId}`;

/** The last summary of the page before; null if we did not issue it. */
export function parseSummaryCursor(cursor: string): SummaryName | null {
  const [, date = '', configuration = '', tenantId = ''] =
    /^(\d{4}-\d\d-\d\d)\.([\da-f-]{36}|others)\.([a-z\d-]{1,40})$/.exec(cursor) ?? [];
  const day = parseDate(date);
  if (Number.isNaN(day)) return null;
  return { day, hardwareConfigurationId: configuration === SHARED ? null : configuration, tenantId };
}
