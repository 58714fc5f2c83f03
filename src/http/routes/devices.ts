// Operators' routes over devices: which are revoked, revoke one, restore one.
import { Router, type Request } from 'express';
import { deviceIdSchema } from '../../domain/submission/run-result.ts';
import type { RevocationView, RevokedView } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { queueUnavailable, Refused } from '../response/problem.ts';

export type DeviceParts = {
  callers: Callers;
  revocations: {
    list: () => Promise<{ deviceId: string; revokedAt: number }[]>;
    /** @returns false where it was revoked already */
    revoke: (deviceId: string, now: number) => Promise<boolean>;
    /** @returns false where it was not revoked */
    restore: (deviceId: string) => Promise<boolean>;
  };
  clock: () => number;
  random: () => number;
  onQueueTrouble: (error: unknown) => void;
};

export function createDeviceRoutes(parts: DeviceParts): Router {
  const { revocations, clock } = parts;
  const router = Router({ caseSensitive: true });
  const only = operatorsOnly(parts.callers);
  const queue = <T>(promise: Promise<T>) =>
    promise.catch((error: unknown): never => {
      parts.onQueueTrouble(error);
      throw queueUnavailable('ask again later', parts.random);
    });

  router.get('/v1/devices/revoked', only, async (_req, res) => {
    const revoked = await queue(revocations.list());
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
      changed: await queue(revocations.revoke(deviceId, clock())),
    };
    res.json(view);
  });
  router.post('/v1/devices/:deviceId/restore', only, async (req: Request<{ deviceId: string }>, res) => {
    const deviceId = parseDeviceId(req.params.deviceId);
    const view: RevocationView = { deviceId, revoked: false, changed: await queue(revocations.restore(deviceId)) };
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
