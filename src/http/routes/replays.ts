// Replays of dead letters: all at once or at a rate, which operators list, pause, resume and cancel.
import { Router, type Request } from 'express';
import { z } from 'zod';
import { deadLetterFilterSchema } from '../../domain/operations/dead-letter.ts';
import { REPLAY_OPERATIONS, REPLAY_RATE } from '../../domain/replay/replay.ts';
import type { Callers } from '../identity/callers.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import type { ReplayStarted, ReplaysView } from '../response/replay-schemas.ts';
import type { Replayed } from '../response/response-schemas.ts';
import type { AuditParts } from '../tenants/audit.ts';
import { changeDeadLetters, countDeadLetters } from '../tenants/dead-letters.ts';
import { changeReplay, listReplays, startReplays, type ReplayContext } from '../tenants/replays.ts';
import type { ServedTenant, ServedTenants } from '../tenants/served-tenant.ts';
import { onlyTenantInQuery, tenantsAskedFor } from '../tenants/tenant-of.ts';

const { least, most } = REPLAY_RATE;
const rate = `must be a number from ${least} to ${most}`;

export const replaySelectionSchema = z.union(
  [
    z.strictObject({ deliveryId: z.string().min(1).max(64), dryRun: z.boolean().default(false) }),
    z.strictObject({
      filter: deadLetterFilterSchema,
      perSecond: z
        .number(rate)
        .min(least, rate)
        .max(most, rate)
        .optional()
        .describe('So many a second, in the background. Without it all are replayed at once.'),
      dryRun: z.boolean().default(false),
    }),
  ],
  {
    error: `must hold either deliveryId, or filter (code, hardwareConfigurationId, deviceId) and, if you like, perSecond (from ${least} to ${most}); and dryRun at most`,
  },
);

export type ReplayParts = QueueParts & AuditParts & { callers: Callers; tenants: ServedTenants };

export type ReplaySelection = z.infer<typeof replaySelectionSchema>;

type ReplayAnswer = { status: 200; body: Replayed } | { status: 202; body: ReplayStarted };

/** Counts, replays at once, or starts a replay at a rate, as was asked for. @throws Refused */
export async function replayDeadLetters(
  tenants: readonly ServedTenant[],
  { dryRun, ...asked }: ReplaySelection,
  context: ReplayContext,
): Promise<ReplayAnswer> {
  const { askQueue } = context;
  if (!dryRun && 'filter' in asked && asked.perSecond !== undefined) {
    const { filter, perSecond } = asked;
    return { status: 202, body: await startReplays(tenants, { filter, perSecond }, context) };
  }
  const selection = 'filter' in asked ? { filter: asked.filter } : asked;
  const matched = await askQueue(countDeadLetters(tenants, selection));
  if (dryRun) return { status: 200, body: { matched, replayed: 0 } };
  const replayed = await askQueue(changeDeadLetters(tenants, { operation: 'replay', selection }, context));
  return { status: 200, body: { matched, replayed } };
}

export function createReplayRoutes(parts: ReplayParts): Router {
  const { tenants } = parts;
  const router = Router({ caseSensitive: true });
  const only = operatorsOnly(parts.callers);
  const askQueue = createAskQueue(parts);

  router.get('/v1/replays', only, async (req, res) => {
    const view: ReplaysView = { replays: await askQueue(listReplays(tenantsAskedFor(req, res, tenants))) };
    res.json(view);
  });
  for (const operation of REPLAY_OPERATIONS) {
    router.post(`/v1/replays/:id/${operation}`, only, onlyTenantInQuery, async (req: Request<{ id: string }>, res) => {
      const asked = tenantsAskedFor(req, res, tenants);
      res.json(await changeReplay(asked, { id: req.params.id, operation }, { parts, res, askQueue }));
    });
  }
  return router;
}
