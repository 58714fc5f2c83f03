// GET /v1/summaries: what became of what was accepted, by day and configuration; a page as JSON, or all as CSV or NDJSON.
import { Router } from 'express';
import { z } from 'zod';
import { SUMMARY_CSV } from '../../domain/lists/summary-csv.ts';
import { parseSummaryCursor, toSummaryCursor } from '../../domain/lists/summary-list.ts';
import { dayOf, parseDate, SUMMARIES_KEPT_DAYS, toDate } from '../../domain/summaries/day.ts';
import { toPercentiles } from '../../domain/summaries/latency.ts';
import { acceptedOf, openOf, type Summary, type SummaryCounts } from '../../domain/summaries/summary.ts';
import type { Callers } from '../identity/callers.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { EXPORTED_AT_ONCE, exportAskedFor, sendExport } from '../response/export.ts';
import type { SummaryCountsView, SummaryListView, SummaryView } from '../response/response-schemas.ts';
import type { ServedTenants } from '../tenants/served-tenant.ts';
import { eachSummaryPage, listSummaries, type SummaryQuery } from '../tenants/summary-list.ts';
import { tenantQuerySchema, tenantsAskedFor } from '../tenants/tenant-of.ts';
import { limitUpTo, parse } from './operators.ts';

export type SummaryParts = QueueParts & { callers: Callers; tenants: ServedTenants };

/** As many as there are by default, today among them. */
export const SUMMARY_DAYS = 30;
const LIMIT = { most: 10_000, byDefault: 1000 };

const date = z.iso.date({ error: 'must be a day, such as 2026-11-23' });

export const summaryQuerySchema = z.strictObject({
  from: date.optional().describe(`The first day, in UTC; without it ${SUMMARY_DAYS} days, the last among them.`),
  to: date.optional().describe('The last day; without it today.'),
  hardwareConfigurationId: z
    .guid({ error: 'must be a GUID' })
    .transform((id) => id.toLowerCase())
    .optional(),
  limit: limitUpTo(LIMIT),
  cursor: z
    .string()
    .max(100)
    .refine((cursor) => parseSummaryCursor(cursor) !== null, 'is no nextCursor of this list')
    .optional()
    .describe('`nextCursor` of the page before.'),
  ...tenantQuerySchema.shape,
});

export function createSummaryRoutes(parts: SummaryParts): Router {
  const { tenants, callers, onQueueTrouble } = parts;
  const router = Router();
  const askQueue = createAskQueue(parts);

  router.get('/v1/summaries', operatorsOnly(callers), async (req, res) => {
    const asked = tenantsAskedFor(req, res, tenants);
    const today = dayOf(asked[0]?.now() ?? Date.now());
    const query = parseQuery(req.query, today);
    const mediaType = exportAskedFor(req, res);
    if (mediaType !== null) {
      // Without a limit, an export has all there is.
      const limit = req.query['limit'] === undefined ? Infinity : query.limit;
      const pages = eachSummaryPage(asked, { ...query, limit }, EXPORTED_AT_ONCE);
      const of = {
        name: 'summaries',
        csv: SUMMARY_CSV,
        toView: toSummaryView,
        ask: askQueue,
        onTrouble: onQueueTrouble,
      };
      await sendExport(req, res, { ...of, mediaType, pages });
      return;
    }
    const { summaries, next } = await askQueue(listSummaries(asked, query));
    const view: SummaryListView = {
      summaries: summaries.map(toSummaryView),
      nextCursor: next && toSummaryCursor(next),
    };
    res.json(view);
  });
  return router;
}

/** @throws Refused listing every fault */
function parseQuery(text: object, today: number): SummaryQuery {
  const { limit, cursor, hardwareConfigurationId = null, ...query } = parse(withinBounds(today), text);
  const after = cursor === undefined ? null : parseSummaryCursor(cursor);
  return { ...toDays(query, today), hardwareConfigurationId, limit, after };
}

function toDays({ from, to }: { from?: string | undefined; to?: string | undefined }, today: number) {
  const lastDay = to === undefined ? today : parseDate(to);
  return { firstDay: from === undefined ? lastDay - SUMMARY_DAYS + 1 : parseDate(from), lastDay };
}

/** Checked beside the members, so that all faults are found at once; a day that is none is no fault of the period. */
const withinBounds = (today: number) =>
  summaryQuerySchema
    .refine((query) => !(daysIn(query, today) < 1), {
      path: ['from'],
      message: `is later than to, which is ${toDate(today)} where it is not given`,
      when: () => true,
    })
    .refine((query) => !(daysIn(query, today) > SUMMARIES_KEPT_DAYS), {
      path: ['from'],
      message: `is more than ${SUMMARIES_KEPT_DAYS} days before the end of to`,
      when: () => true,
    });

/** NaN if one of them is no day. */
function daysIn(query: Parameters<typeof toDays>[0], today: number): number {
  const { firstDay, lastDay } = toDays(query, today);
  return lastDay - firstDay + 1;
}

const toSummaryView = (summary: Summary): SummaryView => ({
  tenant: summary.tenantId,
  day: toDate(summary.day),
  hardwareConfigurationId: summary.hardwareConfigurationId,
  ...toCountsView(summary),
});

export const toCountsView = (counts: SummaryCounts): SummaryCountsView => ({
  accepted: acceptedOf(counts),
  states: counts.states,
  outcomes: { ...counts.ends, open: openOf(counts) },
  latencySeconds: toPercentiles(counts.latency),
});
