// The JSON of the page's last 30 days: each day of a tenant, for one hardware configuration or for all.
import { dayOf, toDate } from '../../domain/summaries/day.ts';
import { acceptedOf, addUp } from '../../domain/summaries/summary.ts';
import type { SummaryCountsView } from '../response/response-schemas.ts';
import { SUMMARY_DAYS, toCountsView } from '../routes/summaries.ts';
import type { ServedTenant } from '../tenants/served-tenant.ts';

export type SummariesView = {
  /** To choose from, those with the most results of these days first. */
  configurations: { hardwareConfigurationId: string; accepted: number }[];
  /** Every day, oldest first, also those without results. */
  days: ({ day: string } & SummaryCountsView)[];
};

/** @param hardwareConfigurationId null for all */
export async function readSummaries(
  { summaries, now }: Pick<ServedTenant, 'summaries' | 'now'>,
  hardwareConfigurationId: string | null,
): Promise<SummariesView> {
  const lastDay = dayOf(now());
  const firstDay = lastDay - SUMMARY_DAYS + 1;
  const found = await summaries.read(await summaries.names(firstDay, lastDay));
  const byConfiguration = Object.groupBy(found, (summary) => summary.hardwareConfigurationId ?? '');
  const shown = hardwareConfigurationId === null ? found : (byConfiguration[hardwareConfigurationId] ?? []);
  return {
    configurations: Object.entries(byConfiguration)
      .filter(([id]) => id !== '')
      .map(([id, its = []]) => ({ hardwareConfigurationId: id, accepted: acceptedOf(addUp(its)) }))
      .toSorted((a, b) => b.accepted - a.accepted || (a.hardwareConfigurationId < b.hardwareConfigurationId ? -1 : 1)),
    days: Array.from({ length: SUMMARY_DAYS }, (_, index) => ({
      day: toDate(firstDay + index),
      ...toCountsView(addUp(shown.filter(({ day }) => day === firstDay + index))),
    })),
  };
}
