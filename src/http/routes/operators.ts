// Operators' routes: dead letters, replay, purge, status. 404 if no operator access is configured.
import express, { Router } from 'express';
import { z } from 'zod';
import { deadLetterFilterSchema } from '../../domain/operations/dead-letter.ts';
import type { Status } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { toView } from './deliveries.ts';
import { replayDeadLetters, replaySelectionSchema } from './replays.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import type { AuditParts } from '../tenants/audit.ts';
import { changeDeadLetters, countDeadLetters, listDeadLetters, parseTenantsCursor } from '../tenants/dead-letters.ts';
import { onlyTenantInQuery, tenantQuerySchema, tenantsAskedFor } from '../tenants/tenant-of.ts';
import { Refused } from '../response/problem.ts';
import type { ServedTenants } from '../tenants/served-tenant.ts';

export type OperatorParts = QueueParts &
  AuditParts & {
    callers: Callers;
    tenants: ServedTenants;
    /** Of these tenants. */
    status: (tenantIds: readonly string[]) => Promise<Status>;
  };

/** How many a page has at most. */
export function limitUpTo({ most, byDefault }: { most: number; byDefault: number }) {
  const isLimit = (text: string) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= most;
  return z
    .string()
    .refine(isLimit, `must be a whole number from 1 to ${most}`)
    .transform(Number)
    .default(byDefault)
    .meta({ type: 'integer', minimum: 1, maximum: most, default: byDefault });
}

export const limitSchema = limitUpTo({ most: 500, byDefault: 50 });

export const querySchema = deadLetterFilterSchema.extend({
  limit: limitSchema,
  cursor: z
    .string()
    .max(256)
    .refine((cursor) => parseTenantsCursor(cursor) !== null, 'is no nextCursor of this list')
    .optional()
    .describe('`nextCursor` of the page before.'),
  ...tenantQuerySchema.shape,
});

export const selectionSchema = z.union(
  [
    z.strictObject({ deliveryId: z.string().min(1).max(64), dryRun: z.boolean().default(false) }),
    z.strictObject({ filter: deadLetterFilterSchema, dryRun: z.boolean().default(false) }),
  ],
  { error: 'must hold either deliveryId or filter (code, hardwareConfigurationId, deviceId), and dryRun at most' },
);

export function createOperatorRoutes(parts: OperatorParts): Router {
  const { tenants } = parts;
  const router = Router();
  const only = operatorsOnly(parts.callers);
  const json = express.json({ limit: '10kb' });
  const askQueue = createAskQueue(parts);

  router.get('/v1/dead-letters', only, async (req, res) => {
    const { limit, cursor, code, hardwareConfigurationId, deviceId } = parse(querySchema, req.query);
    const filter = { code, hardwareConfigurationId, deviceId };
    const asked = tenantsAskedFor(req, res, tenants);
    const page = await askQueue(listDeadLetters(asked, { filter, limit, cursor: cursor ?? null }));
    res.json({ deadLetters: page.deadLetters.map(toView), nextCursor: page.nextCursor });
  });
  router.post('/v1/dead-letters/replay', only, onlyTenantInQuery, json, async (req, res) => {
    const selection = parse(replaySelectionSchema, req.body);
    const asked = tenantsAskedFor(req, res, tenants);
    const { status, body } = await replayDeadLetters(asked, selection, { parts, res, askQueue });
    res.status(status).json(body);
  });
  router.post('/v1/dead-letters/purge', only, onlyTenantInQuery, json, async (req, res) => {
    const { dryRun, ...selection } = parse(selectionSchema, req.body);
    const asked = tenantsAskedFor(req, res, tenants);
    const matched = await askQueue(countDeadLetters(asked, selection));
    const purge = () => changeDeadLetters(asked, { operation: 'purge', selection }, { parts, res });
    res.json({ matched, purged: dryRun ? 0 : await askQueue(purge()) });
  });
  router.get('/v1/status', only, async (req, res) => {
    const asked = tenantsAskedFor(req, res, tenants).map(({ id }) => id);
    res.json(await askQueue(parts.status(asked)));
  });
  return router;
}

/** @throws Refused listing every fault */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Refused({
    code: 'invalid-request',
    detail: 'see errors',
    faults: parsed.error.issues.map((issue) => ({
      pointer: issue.path.map((key) => `/${String(key)}`).join(''),
      detail: issue.message,
    })),
  });
}
