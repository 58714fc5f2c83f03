// `summaries`: what became of what was accepted, by day and configuration; as a table, JSON, CSV or NDJSON.
import { summaryListSchema, type SummaryView } from '../../http/response/response-schemas.ts';
import { print, printJson } from '../out.ts';
import { toTable } from '../table.ts';
import { download, readList, type ListFlags } from './listing.ts';

export type SummariesFlags = Omit<ListFlags, 'limit'> & { from?: string; to?: string; configuration?: string };

export async function listSummaries(flags: SummariesFlags): Promise<void> {
  const { from, to, configuration, format } = flags;
  const route = { path: '/v1/summaries', query: { from, to, hardwareConfigurationId: configuration } };
  if (format !== undefined) return download(flags, route, format);
  const all = { ...flags, limit: Infinity };
  const listed = await readList(all, route, {
    schema: summaryListSchema,
    entries: ({ summaries }) => summaries,
    nextCursor: ({ nextCursor }) => nextCursor,
  });
  if (flags.json) {
    printJson(listed);
    return;
  }
  if (listed.length === 0) {
    print('Nothing was accepted in that time.');
    return;
  }
  const isOne = new Set(listed.map(({ tenant }) => tenant)).size === 1;
  const head = ['day (UTC)', ...(isOne ? [] : ['tenant']), 'configuration', 'accepted', 'success', 'delivered'];
  print(...toTable([...head, 'dead', 'superseded', 'open', 'median s', '99 % s'], listed.map(toRow(isOne))));
}

const toRow =
  (isOne: boolean) =>
  ({ day, tenant, hardwareConfigurationId, accepted, states, outcomes, latencySeconds }: SummaryView) => [
    day,
    ...(isOne ? [] : [tenant]),
    hardwareConfigurationId ?? 'others',
    accepted,
    states.success,
    outcomes.delivered,
    outcomes.dead,
    outcomes.superseded,
    outcomes.open,
    latencySeconds.p50 ?? '–',
    latencySeconds.p99 ?? '–',
  ];
