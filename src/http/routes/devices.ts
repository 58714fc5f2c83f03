// Operators' routes for devices: list revoked ones, revoke, restore, retire, forget what the directory said.
import { Router, type Request } from 'express';
import { deviceIdSchema } from '../../domain/submission/run-result.ts';
import type { ForgottenView, RetirementView, RevocationView, RevokedView } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import { operatorsOnly } from '../identity/operators-only.ts';
import { audit, type AuditParts } from '../tenants/audit.ts';
import { onlyTenantInQuery, tenantAskedFor, tenantsAskedFor } from '../tenants/tenant-of.ts';
import { Refused } from '../response/problem.ts';
import type { ServedTenant, ServedTenants } from '../tenants/served-tenant.ts';

export type DeviceParts = QueueParts &
  AuditParts & {
    callers: Callers;
    tenants: ServedTenants;
  };

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createDeviceRoutes(parts: DeviceParts): Router {
  const { tenants } = parts;
  const router = Router({ caseSensitive: true });
  const only = operatorsOnly(parts.callers);
  const askQueue = createAskQueue(parts);

  /** Also in lower case, if it is a GUID: so directories and Intune write what an operator may have copied in upper case. */
  async function changeAll(deviceId: string, change: (deviceId: string) => Promise<boolean>): Promise<boolean> {
    const ids = GUID.test(deviceId.toLowerCase()) ? [...new Set([deviceId, deviceId.toLowerCase()])] : [deviceId];
    return (await askQueue(Promise.all(ids.map(change)))).includes(true);
  }

  router.get('/v1/devices/revoked', only, async (req, res) => {
    const asked = tenantsAskedFor(req, res, tenants);
    const lists = await askQueue(Promise.all(asked.map(listRevoked)));
    const view: RevokedView = {
      revoked: lists
        .flat()
        .sort((a, b) => b.revokedAt - a.revokedAt)
        .map(({ tenant, deviceId, revokedAt }) => ({
          deviceId,
          revokedAt: new Date(revokedAt).toISOString(),
          ...(asked.length > 1 && { tenant }),
        })),
    };
    res.json(view);
  });
  router.post(
    '/v1/devices/:deviceId/revoke',
    only,
    onlyTenantInQuery,
    async (req: Request<{ deviceId: string }>, res) => {
      const deviceId = parseDeviceId(req.params.deviceId);
      const { id: tenantId, revocations, now } = tenantAskedFor(req, res, tenants);
      const changed = await changeAll(deviceId, (one) => revocations.revoke(one, now()));
      audit(parts, res, { operation: 'revoke', tenantId, deviceId, changed });
      const view: RevocationView = { deviceId, revoked: true, changed };
      res.json(view);
    },
  );
  router.post(
    '/v1/devices/:deviceId/restore',
    only,
    onlyTenantInQuery,
    async (req: Request<{ deviceId: string }>, res) => {
      const deviceId = parseDeviceId(req.params.deviceId);
      const { id: tenantId, revocations } = tenantAskedFor(req, res, tenants);
      const changed = await changeAll(deviceId, revocations.restore);
      audit(parts, res, { operation: 'restore', tenantId, deviceId, changed });
      const view: RevocationView = { deviceId, revoked: false, changed };
      res.json(view);
    },
  );
  router.post(
    '/v1/devices/:deviceId/retire',
    only,
    onlyTenantInQuery,
    async (req: Request<{ deviceId: string }>, res) => {
      const deviceId = parseDeviceId(req.params.deviceId);
      const { id: tenantId, retire } = tenantAskedFor(req, res, tenants);
      const changed = await changeAll(deviceId, retire);
      audit(parts, res, { operation: 'retire', tenantId, deviceId, changed });
      const view: RetirementView = { deviceId, changed };
      res.json(view);
    },
  );
  router.post(
    '/v1/devices/:deviceId/forget',
    only,
    onlyTenantInQuery,
    async (req: Request<{ deviceId: string }>, res) => {
      const deviceId = parseDeviceId(req.params.deviceId).toLowerCase();
      const { id: tenantId, forgetInDirectory } = tenantAskedFor(req, res, tenants);
      // The directory's device ids are GUIDs, so nothing is remembered about others.
      const forget = GUID.test(deviceId) ? forgetInDirectory : null;
      const outcome = forget ? await askQueue(forget(deviceId)) : { changed: false, asked: false };
      audit(parts, res, { operation: 'forget', tenantId, deviceId, changed: outcome.changed });
      const view: ForgottenView = { deviceId, ...outcome };
      res.json(view);
    },
  );
  return router;
}

async function listRevoked({ id: tenant, revocations }: ServedTenant) {
  return (await revocations.list()).map((revoked) => ({ ...revoked, tenant }));
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
