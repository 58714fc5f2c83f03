// Summaries of several tenants as one list, by day.
import { SUMMARIES_KEPT_DAYS } from '../../domain/summaries/day.ts';
import { inSummaryOrder } from '../../domain/lists/summary-list.ts';
import type { Summary, SummaryName } from '../../domain/summaries/summary.ts';
import type { ServedTenant } from './served-tenant.ts';

/** What is listed, from where on. */
export type SummaryQuery = {
  firstDay: number;
  lastDay: number;
  /** In lower case; null for all. */
  hardwareConfigurationId: string | null;
  limit: number;
  /** The last of the page before; null for the first page. */
  after: SummaryName | null;
};

export type SummaryPage = { summaries: Summary[]; next: SummaryName | null };

type Tenants = readonly Pick<ServedTenant, 'id' | 'summaries'>[];

export async function listSummaries(tenants: Tenants, query: SummaryQuery): Promise<SummaryPage> {
  const names = await findNames(tenants, query);
  const page = names.slice(0, query.limit);
  const byTenant = Object.groupBy(page, ({ tenantId }) => tenantId);
  const read = await Promise.all(tenants.map(({ id, summaries }) => summaries.read(byTenant[id] ?? [])));
  const next = names.length > query.limit ? (page.at(-1) ?? null) : null;
  return { summaries: read.flat().toSorted(inSummaryOrder), next };
}

/** More than `limit` where more follow, in their order. A few days at a time where there are many tenants. */
async function findNames(tenants: Tenants, query: SummaryQuery): Promise<SummaryName[]> {
  const { firstDay, lastDay, hardwareConfigurationId, limit, after } = query;
  const isAsked = (name: SummaryName) =>
    (hardwareConfigurationId === null || name.hardwareConfigurationId === hardwareConfigurationId) &&
    (after === null || inSummaryOrder(name, after) > 0);
  const daysAtOnce = Math.max(1, Math.floor(SUMMARIES_KEPT_DAYS / Math.max(1, tenants.length)));
  const names: SummaryName[] = [];
  let day = Math.max(firstDay, after?.day ?? firstDay);
  for (; day <= lastDay && names.length <= limit; day += daysAtOnce) {
    const untilDay = Math.min(lastDay, day + daysAtOnce - 1);
    const found = await Promise.all(tenants.map(({ summaries }) => summaries.names(day, untilDay)));
    names.push(...found.flat().filter(isAsked).sort(inSummaryOrder));
  }
  return names;
}

/** All pages up to `limit` summaries. */
export async function* eachSummaryPage(
  tenants: Tenants,
  { limit, ...query }: SummaryQuery,
  pageSize: number,
): AsyncGenerator<Summary[]> {
  let [left, next] = [limit, query.after];
  do {
    const page = await listSummaries(tenants, { ...query, limit: Math.min(left, pageSize), after: next });
    yield page.summaries;
    left -= page.summaries.length;
    next = page.next;
  } while (next !== null && left > 0);
}
