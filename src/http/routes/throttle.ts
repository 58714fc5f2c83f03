// POST /v1/throttle/end: an operator ends a throttle whose Retry-After is absurdly long.
import { Router } from 'express';
import type { ThrottleEndView } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { contextOf } from '../request/context.ts';
import { onlyTenantInQuery, tenantAskedFor } from '../tenants/tenant-of.ts';
import type { ServedTenants } from '../tenants/served-tenant.ts';

export type ThrottleParts = QueueParts & {
  callers: Callers;
  tenants: ServedTenants;
  /** For the audit: an operator ended it. */
  onThrottleEnded: (ended: { requestId: string; tenantId: string; until: string }) => void;
};

export function createThrottleRoutes(parts: ThrottleParts): Router {
  const router = Router({ caseSensitive: true });
  const askQueue = createAskQueue(parts);
  router.post('/v1/throttle/end', operatorsOnly(parts.callers), onlyTenantInQuery, async (req, res) => {
    const { id: tenant, endThrottle } = tenantAskedFor(req, res, parts.tenants);
    const endedMs = await askQueue(endThrottle());
    const until = endedMs === null ? null : new Date(endedMs).toISOString();
    if (until !== null) parts.onThrottleEnded({ requestId: contextOf(res).requestId, tenantId: tenant, until });
    const view: ThrottleEndView = { ended: until !== null, until };
    res.json(view);
  });
  return router;
}
