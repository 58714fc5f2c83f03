// Operators' routes: dead letters, replay, purge, status. 404 if no operator access is configured.
import express, { Router } from 'express';
import { z } from 'zod';
import { parseCursor } from '../../domain/operations/dead-letter-position.ts';
import { deadLetterFilterSchema, type DeadLetterFilter } from '../../domain/operations/dead-letter.ts';
import type { Delivery } from '../../domain/delivery.ts';
import type { Status } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { toView } from './deliveries.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { Refused } from '../response/problem.ts';

type Selection = { deliveryId: string } | { filter: DeadLetterFilter };

export type OperatorParts = QueueParts & {
  callers: Callers;
  deadLetters: {
    list: (
      filter: DeadLetterFilter,
      limit: number,
      cursor: string | null,
    ) => Promise<{ deadLetters: Delivery[]; nextCursor: string | null }>;
    count: (selection: Selection) => Promise<number>;
    replay: (selection: Selection, now: number) => Promise<number>;
    purge: (selection: Selection) => Promise<number>;
  };
  status: () => Promise<Status>;
  clock: () => number;
};

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

const isLimit = (text: string) => /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_LIMIT;

export const querySchema = deadLetterFilterSchema.extend({
  limit: z
    .string()
    .refine(isLimit, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .default(DEFAULT_LIMIT)
    .meta({ type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  cursor: z
    .string()
    .max(256)
    .refine((cursor) => parseCursor(cursor) !== null, 'is no nextCursor of this list')
    .optional()
    .describe('`nextCursor` of the page before.'),
});

export const selectionSchema = z.union(
  [
    z.strictObject({ deliveryId: z.string().min(1).max(64), dryRun: z.boolean().default(false) }),
    z.strictObject({ filter: deadLetterFilterSchema, dryRun: z.boolean().default(false) }),
  ],
  { error: 'must hold either deliveryId or filter (code, hardwareConfigurationId, deviceId), and dryRun at most' },
);

export function createOperatorRoutes(parts: OperatorParts): Router {
  const { deadLetters, clock } = parts;
  const router = Router();
  const only = operatorsOnly(parts.callers);
  const json = express.json({ limit: '10kb' });
  const askQueue = createAskQueue(parts);

  router.get('/v1/dead-letters', only, async (req, res) => {
    const { limit, cursor, ...filter } = parse(querySchema, req.query);
    const page = await askQueue(deadLetters.list(filter, limit, cursor ?? null));
    res.json({ deadLetters: page.deadLetters.map(toView), nextCursor: page.nextCursor });
  });
  router.post('/v1/dead-letters/replay', only, json, async (req, res) => {
    const { dryRun, ...selection } = parse(selectionSchema, req.body);
    const matched = await askQueue(deadLetters.count(selection));
    res.json({ matched, replayed: dryRun ? 0 : await askQueue(deadLetters.replay(selection, clock())) });
  });
  router.post('/v1/dead-letters/purge', only, json, async (req, res) => {
    const { dryRun, ...selection } = parse(selectionSchema, req.body);
    const matched = await askQueue(deadLetters.count(selection));
    res.json({ matched, purged: dryRun ? 0 : await askQueue(deadLetters.purge(selection)) });
  });
  router.get('/v1/status', only, async (_req, res) => void res.json(await askQueue(parts.status())));
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
