// GET /v1/deliveries: by device, status, configuration and time, newest first; a page as JSON, or all as CSV or NDJSON.
import { Router } from 'express';
import { z } from 'zod';
import { STATUSES } from '../../domain/delivery.ts';
import { DELIVERY_CSV } from '../../domain/lists/delivery-csv.ts';
import { parseListCursor, toListCursor, type DeliveryFilter } from '../../domain/lists/delivery-list.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import type { Callers } from '../identity/callers.ts';
import { EXPORTED_AT_ONCE, exportAskedFor, sendExport } from '../response/export.ts';
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

export function createDeliveryListRoutes(parts: DeliveryListParts): Router {
  const { tenants, callers, onQueueTrouble } = parts;
  const router = Router();
  const askQueue = createAskQueue(parts);

  router.get('/v1/deliveries', operatorsOnly(callers), async (req, res) => {
    const query = parse(listQuerySchema, req.query);
    const asked = tenantsAskedFor(req, res, tenants);
    const after = query.cursor === undefined ? null : parseListCursor(query.cursor);
    const filter = toFilter(query);
    const mediaType = exportAskedFor(req, res);
    if (mediaType !== null) {
      // Without a limit, an export has all there is.
      const limit = req.query['limit'] === undefined ? Infinity : query.limit;
      const pages = eachPage(asked, { filter, limit, after }, EXPORTED_AT_ONCE);
      const of = { name: 'deliveries', csv: DELIVERY_CSV, toView, ask: askQueue, onTrouble: onQueueTrouble };
      await sendExport(req, res, { ...of, mediaType, pages });
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
}

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
