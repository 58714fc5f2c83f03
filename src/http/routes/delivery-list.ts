// GET /v1/deliveries: by device, status, configuration and time, newest first; a page as JSON, or all as CSV or NDJSON.
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { Router, type Request, type Response } from 'express';
import { z } from 'zod';
import { STATUSES, type Delivery } from '../../domain/delivery.ts';
import { CSV_HEAD, toCsvLine } from '../../domain/operations/delivery-csv.ts';
import { parseListCursor, toListCursor, type DeliveryFilter } from '../../domain/operations/delivery-list.ts';
import { toVisible } from '../../domain/operations/visible-text.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import type { Callers } from '../identity/callers.ts';
import type { DeliveryListView } from '../response/response-schemas.ts';
import { eachPage, listDeliveries } from '../tenants/delivery-list.ts';
import type { ServedTenants } from '../tenants/served-tenant.ts';
import { tenantQuerySchema, tenantsAskedFor } from '../tenants/tenant-of.ts';
import { toView } from './deliveries.ts';
import { limitSchema, parse } from './operators.ts';

export type DeliveryListParts = QueueParts & { callers: Callers; tenants: ServedTenants };

const text = z.string().min(1).max(128);
const instant = z.iso.datetime({ offset: true, error: 'must be an instant with offset, such as 2026-11-23T10:00:00Z' });

const membersSchema = z.strictObject({
  deviceId: text.optional(),
  hardwareConfigurationId: text.transform((id) => id.toLowerCase()).optional(),
  status: z.enum(STATUSES).optional(),
  acceptedAfter: instant.optional().describe('This instant or later.'),
  acceptedBefore: instant.optional().describe('Earlier than this instant.'),
  limit: limitSchema,
  cursor: z
    .string()
    .max(64)
    .refine((cursor) => parseListCursor(cursor) !== null, 'is no nextCursor of this list')
    .optional()
    .describe('`nextCursor` of the page before.'),
  ...tenantQuerySchema.shape,
});

export const listQuerySchema = membersSchema.refine(
  ({ deviceId, status }) => deviceId !== undefined || status !== undefined,
  { path: ['deviceId'], message: 'give deviceId, status, or both', when: () => true },
);

/** The forms of the list besides JSON: media type, what comes first, and a delivery's line. */
const EXPORTS = {
  'text/csv': { head: CSV_HEAD, toLine: toCsvLine },
  'application/x-ndjson': {
    head: '',
    toLine: (delivery: Delivery) => `${toVisible(JSON.stringify(toView(delivery)))}\n`,
  },
} as const;

const EXPORTED_AT_ONCE = 500;

export function createDeliveryListRoutes(parts: DeliveryListParts): Router {
  const { tenants, callers, onQueueTrouble } = parts;
  const router = Router();
  const askQueue = createAskQueue(parts);

  router.get('/v1/deliveries', operatorsOnly(callers), async (req, res) => {
    const query = parse(listQuerySchema, req.query);
    const asked = tenantsAskedFor(req, res, tenants);
    const after = query.cursor === undefined ? null : parseListCursor(query.cursor);
    const filter = toFilter(query);
    const mediaType = req.accepts(['application/json', ...Object.keys(EXPORTS)]);
    res.vary('Accept');
    if (isExport(mediaType)) {
      // Without a limit, an export has all there is.
      const limit = req.query['limit'] === undefined ? Infinity : query.limit;
      const pages = eachPage(asked, { filter, limit, after }, EXPORTED_AT_ONCE);
      // The first page is awaited: while the queue does not answer, the answer can still be a refusal.
      const first = await askQueue(pages.next());
      await send(req, res, { mediaType, first: first.done ? [] : first.value, pages });
      return;
    }
    const { deliveries, next } = await askQueue(listDeliveries(asked, { filter, limit: query.limit, after }));
    const view: DeliveryListView = {
      deliveries: deliveries.map(toView),
      nextCursor: next && toListCursor(next),
    };
    res.json(view);
  });
  return router;

  async function send(req: Request, res: Response, { mediaType, first, pages }: Export): Promise<void> {
    const { head, toLine } = EXPORTS[mediaType];
    const extension = mediaType === 'text/csv' ? 'csv' : 'ndjson';
    res.attachment(`deliveries.${extension}`).type(`${mediaType}; charset=utf-8`);
    if (req.method === 'HEAD') return void res.end();
    async function* lines() {
      yield head + first.map(toLine).join('');
      for await (const page of pages) yield page.map(toLine).join('');
    }
    // A connection that ends early is how a reader learns that lines are missing.
    await pipeline(Readable.from(lines()), res).catch((error: unknown) => {
      if (!res.closed || !isHangUp(error)) onQueueTrouble(error);
      res.destroy();
    });
  }
}

type Export = { mediaType: keyof typeof EXPORTS; first: Delivery[]; pages: AsyncGenerator<Delivery[]> };

const isExport = (mediaType: string | false): mediaType is keyof typeof EXPORTS =>
  mediaType !== false && Object.hasOwn(EXPORTS, mediaType);

const isHangUp = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';

function toFilter(query: z.infer<typeof listQuerySchema>): DeliveryFilter {
  const { deviceId, status, hardwareConfigurationId, acceptedAfter, acceptedBefore } = query;
  return {
    deviceId,
    status,
    hardwareConfigurationId,
    acceptedAfter: toMs(acceptedAfter),
    acceptedBefore: toMs(acceptedBefore),
  };
}

const toMs = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text));
