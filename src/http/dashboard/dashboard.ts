// GET /dashboard: the operators' page, the JSON it reads, replay, and bull-board.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { Router, type Request, type RequestHandler, type Response } from 'express';
import type { CompactedDelivery } from '../../domain/submission/compacted-delivery.ts';
import { explain, explainCompacted } from '../../domain/operations/explain.ts';
import { REPLAY_OPERATIONS } from '../../domain/replay/replay.ts';
import type { TenantSnapshot } from '../../domain/operations/tenant-snapshot.ts';
import type { Delivery } from '../../domain/delivery.ts';
import { createBoardRoutes, type BoardParts } from './board.ts';
import { pagePolicy } from './browser-policy.ts';
import { toCompactedView, toView } from '../routes/deliveries.ts';
import { operatorsByPassword, type PasswordParts } from '../identity/operator-password.ts';
import {
  compareExpected,
  deviceQuerySchema,
  expectedSchema,
  MAX_EXPECTED_BODY,
  readDevices,
} from '../routes/device-list.ts';
import { parse, type OperatorParts } from '../routes/operators.ts';
import { replayDeadLetters, replaySelectionSchema } from '../routes/replays.ts';
import { summaryQuerySchema } from '../routes/summaries.ts';
import type { SearchAnswer } from '../response/response-schemas.ts';
import { worstFirst, type Overview, type TenantSummary } from './overview.ts';
import { Refused } from '../response/problem.ts';
import { readSummaries } from './summaries.ts';
import { createAskQueue } from '../request/ask-queue.ts';
import { changeReplay } from '../tenants/replays.ts';
import { seesAll, tenantAskedFor, tenantsAskedFor } from '../tenants/tenant-of.ts';
import { notCrossSite, sameOriginOnly } from '../request/same-origin.ts';

/** Data of a tenant that only the dashboard reads. All reject if the queue does not answer. */
export type TenantDashboard = {
  overview: () => Promise<Overview>;
  summary: () => Promise<TenantSummary>;
  /** By delivery id, device id or run id; `complete` is false if it was cut short. */
  search: (text: string) => Promise<{ deliveries: Delivery[]; complete: boolean; compacted: CompactedDelivery | null }>;
  /** How long the details of a delivered run are kept. */
  deliveredKeptMs: number;
  snapshot: () => Promise<TenantSnapshot>;
};

export type DashboardSource = BoardParts & { of: (tenantId: string) => TenantDashboard | null };

export type DashboardParts = PasswordParts &
  Pick<OperatorParts, 'tenants' | 'random' | 'onQueueTrouble' | 'onOperation'> & {
    /** Null without an operator token: then there is no dashboard. */
    dashboard: DashboardSource | null;
  };

const STATIC = fileURLToPath(new URL('./page/', import.meta.url));
const UPLOT = join(dirname(fileURLToPath(import.meta.resolve('uplot/package.json'))), 'dist');
/** Every file of the page and its directory. */
const FILES: Record<string, string> = {
  'page.css': STATIC,
  'page.js': STATIC,
  'charts.js': STATIC,
  'dead-letters.js': STATIC,
  'devices.js': STATIC,
  'dom.js': STATIC,
  'format.js': STATIC,
  'replays.js': STATIC,
  'request.js': STATIC,
  'search.js': STATIC,
  'summaries.js': STATIC,
  'tenants.js': STATIC,
  'visible.js': STATIC,
  'icon.svg': STATIC,
  'uPlot.iife.min.js': UPLOT,
  'uPlot.min.css': UPLOT,
};
const MAX_SEARCH_LENGTH = 128;
const summariesSchema = summaryQuerySchema.pick({ hardwareConfigurationId: true, tenant: true });

export function createDashboardRoutes(parts: DashboardParts): Router {
  const { dashboard, tenants } = parts;
  const router = Router({ caseSensitive: true });
  if (!dashboard) return router;
  const only = operatorsByPassword(parts);
  const json = express.json({ limit: '10kb' });
  const askQueue = createAskQueue(parts);

  function shown(req: Request, res: Response): TenantDashboard {
    const found = dashboard?.of(tenantAskedFor(req, res, tenants).id);
    if (found) return found;
    throw new Refused({ code: 'not-found', detail: 'there is no such tenant' });
  }

  /** The raw view shows the queues of all tenants, whatever is asked for. */
  const ofAllTenants: RequestHandler = (_req, res, next) => {
    if (!seesAll(res, tenants))
      throw new Refused({ code: 'not-found', detail: 'the raw view is for who sees all tenants' });
    next();
  };

  router.get('/dashboard', only, pagePolicy, (req, res) => {
    // URLs in the page are relative, so it works behind any proxy.
    if (req.path.endsWith('/')) res.redirect(308, '../dashboard');
    else sendFrom(STATIC, 'page.html')(req, res, () => undefined);
  });
  for (const [file, root] of Object.entries(FILES)) {
    router.get(`/dashboard/${file}`, only, pagePolicy, sendFrom(root, file));
  }
  router.get(
    '/dashboard/overview.json',
    only,
    notCrossSite,
    async (req, res) => void res.json(await askQueue(shown(req, res).overview())),
  );
  router.get('/dashboard/tenants.json', only, notCrossSite, async (req, res) => {
    const sources = tenantsAskedFor(req, res, tenants).flatMap(({ id }) => dashboard.of(id) ?? []);
    const summaries = await askQueue(Promise.all(sources.map(({ summary }) => summary())));
    res.json({ tenants: worstFirst(summaries) });
  });
  router.get('/dashboard/summaries.json', only, notCrossSite, async (req, res) => {
    const { hardwareConfigurationId = null } = parse(summariesSchema, req.query);
    res.json(await askQueue(readSummaries(tenantAskedFor(req, res, tenants), hardwareConfigurationId)));
  });
  router.get('/dashboard/search.json', only, notCrossSite, async (req, res) => {
    const { search, snapshot: read, deliveredKeptMs } = shown(req, res);
    const [result, snapshot] = await askQueue(Promise.all([search(readText(req)), read()]));
    const { deliveries, complete, compacted } = result;
    const found = deliveries.map((delivery) => ({ ...toView(delivery), explanation: explain(delivery, snapshot) }));
    if (compacted) {
      const explanation = explainCompacted(compacted, deliveredKeptMs);
      found.push({ ...toCompactedView(compacted), explanation });
    }
    res.json({ found, complete } satisfies SearchAnswer);
  });
  router.post('/dashboard/replay', only, sameOriginOnly, json, async (req, res) => {
    const selection = parse(replaySelectionSchema, req.body);
    const asked = [tenantAskedFor(req, res, tenants)];
    const { status, body } = await replayDeadLetters(asked, selection, { parts, res, askQueue });
    res.status(status).json(body);
  });
  router.get('/dashboard/devices.json', only, notCrossSite, async (req, res) => {
    const asked = [tenantAskedFor(req, res, tenants)];
    res.json(await askQueue(readDevices(asked, parse(deviceQuerySchema, req.query))));
  });
  const list = express.json({ limit: MAX_EXPECTED_BODY });
  router.post('/dashboard/devices/expected', only, sameOriginOnly, list, async (req, res) => {
    const asked = [tenantAskedFor(req, res, tenants)];
    res.json(await askQueue(compareExpected(asked, parse(expectedSchema, req.body))));
  });
  for (const operation of REPLAY_OPERATIONS) {
    router.post(
      `/dashboard/replays/:id/${operation}`,
      only,
      sameOriginOnly,
      json,
      async (req: Request<{ id: string }>, res) => {
        const asked = [tenantAskedFor(req, res, tenants)];
        res.json(await changeReplay(asked, { id: req.params.id, operation }, { parts, res, askQueue }));
      },
    );
  }
  router.use('/dashboard/queues', only, ofAllTenants, createBoardRoutes(dashboard));
  return router;
}

const sendFrom =
  (root: string, file: string): RequestHandler =>
  (_req, res) =>
    res.sendFile(file, { root });

function readText({ query }: Request): string {
  const { text } = query;
  const trimmed = typeof text === 'string' ? text.trim() : '';
  if (trimmed !== '' && trimmed.length <= MAX_SEARCH_LENGTH) return trimmed;
  throw new Refused({
    code: 'invalid-request',
    detail: `text must be a delivery, device or run id of at most ${MAX_SEARCH_LENGTH} characters`,
  });
}
