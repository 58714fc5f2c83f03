// POST /v1/throttle/end: an operator ends a throttle whose Retry-After is absurdly long.
import { Router } from 'express';
import type { ThrottleEndView } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { contextOf } from '../request/context.ts';

export type ThrottleParts = QueueParts & {
  callers: Callers;
  /** @returns when it would have ended; null if there is none */
  endThrottle: () => Promise<number | null>;
  /** For the audit: an operator ended it. */
  onThrottleEnded: (ended: { requestId: string; until: string }) => void;
};

export function createThrottleRoutes(parts: ThrottleParts): Router {
  const router = Router({ caseSensitive: true });
  const askQueue = createAskQueue(parts);
  router.post('/v1/throttle/end', operatorsOnly(parts.callers), async (_req, res) => {
    const endedMs = await askQueue(parts.endThrottle());
    const until = endedMs === null ? null : new Date(endedMs).toISOString();
    if (until !== null) parts.onThrottleEnded({ requestId: contextOf(res).requestId, until });
    const view: ThrottleEndView = { ended: until !== null, until };
    res.json(view);
  });
  return router;
}
