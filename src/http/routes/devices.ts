// Operators' routes for devices: list revoked ones, revoke, restore.
import { Router, type Request } from 'express';
import { deviceIdSchema } from '../../domain/submission/run-result.ts';
import type { RevocationView, RevokedView } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { Refused } from '../response/problem.ts';

export type DeviceParts = QueueParts & {
  callers: Callers;
  revocations: {
    list: () => Promise<{ deviceId: string; revokedAt: number }[]>;
    /** @returns false if it was already revoked */
    revoke: (deviceId: string, now: number) => Promise<boolean>;
    /** @returns false if it was not revoked */
    restore: (deviceId: string) => Promise<boolean>;
  };
  clock: () => number;
};

export function createDeviceRoutes(parts: DeviceParts): Router {
  const { revocations, clock } = parts;
  const router = Router({ caseSensitive: true });
  const only = operatorsOnly(parts.callers);
  const askQueue = createAskQueue(parts);

  router.get('/v1/devices/revoked', only, async (_req, res) => {
    const revoked = await askQueue(revocations.list());
    const view: RevokedView = {
      revoked: revoked.map(({ deviceId, revokedAt }) => ({ deviceId, revokedAt: new Date(revokedAt).toISOString() })),
    };
    res.json(view);
  });
  router.post('/v1/devices/:deviceId/revoke', only, async (req: Request<{ deviceId: string }>, res) => {
    const deviceId = parseDeviceId(req.params.deviceId);
    const view: RevocationView = {
      deviceId,
      revoked: true,
      changed: await askQueue(revocations.revoke(deviceId, clock())),
    };
    res.json(view);
  });
  router.post('/v1/devices/:deviceId/restore', only, async (req: Request<{ deviceId: string }>, res) => {
    const deviceId = parseDeviceId(req.params.deviceId);
    const view: RevocationView = { deviceId, revoked: false, changed: await askQueue(revocations.restore(deviceId)) };
    res.json(view);
  });
  return router;
}

function parseDeviceId(text: string): string {
  const parsed = deviceIdSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new Refused({
    code: 'invalid-request',
    detail: 'see errors',
    faults: [{ pointer: '/deviceId', detail: 'must be 1 to 128 of A–Z a–z 0–9 . _ -' }],
  });
}
