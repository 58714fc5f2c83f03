// The tenants a request is about: the caller's own, or those an operator may see and asks for.
import type { NextFunction, Request, Response } from 'express';
import { z } from 'zod';
import { DEFAULT_TENANT } from '../../config/tenants/tenant.ts';
import { Refused } from '../response/problem.ts';
import type { ServedTenant, ServedTenants } from './served-tenant.ts';
import { callerOf } from '../request/context.ts';

/** The query that narrows an operator's request. */
export const tenantQuerySchema = z.object({
  tenant: z.string().max(40).optional().describe('Only this tenant, where several are served.'),
});

/**
 * Before a change: refuses every other query parameter, since with `tenant` misspelt the change would be made in all tenants.
 * @throws Refused naming each
 */
export function onlyTenantInQuery(req: Pick<Request, 'query'>, _res: Response, next: NextFunction): void {
  const others = Object.keys(req.query).filter((name) => name !== 'tenant');
  if (others.length === 0) {
    next();
    return;
  }
  const faults = others.map((name) => ({ pointer: `/${name}`, detail: 'is no query parameter of this route' }));
  throw new Refused({ code: 'invalid-request', detail: 'see errors', faults });
}

/** The tenant of a device or relay. @throws Refused if it is no longer served */
export function tenantOf(res: Response, tenants: ServedTenants): ServedTenant {
  const caller = callerOf(res);
  if (caller.kind === 'operator') throw new Error('an operator has no tenant of its own');
  const tenant = tenants.find(caller.tenantId);
  if (tenant) return tenant;
  throw new Refused({ code: 'unauthenticated', detail: 'the tenant is not served here' });
}

/** Those an operator may see, or the one that `?tenant=` names. @throws Refused if that is none of them */
export function tenantsAskedFor(req: Request, res: Response, tenants: ServedTenants): readonly ServedTenant[] {
  const caller = callerOf(res);
  if (caller.kind !== 'operator') return [tenantOf(res, tenants)];
  const { tenantIds } = caller;
  const visible = tenants.all().filter(({ id }) => tenantIds === null || tenantIds.includes(id));
  const { tenant: asked } = req.query;
  if (asked === undefined) return visible;
  const found = visible.find(({ id }) => id === asked);
  if (found) return [found];
  throw new Refused({ code: 'not-found', detail: 'there is no such tenant' });
}

/** The one that a change is for: `?tenant=`, the only one, or `default`. @throws Refused if it is not clear which */
export function tenantAskedFor(req: Request, res: Response, tenants: ServedTenants): ServedTenant {
  const asked = tenantsAskedFor(req, res, tenants);
  const [only, ...others] = asked;
  const tenant = others.length === 0 ? only : asked.find(({ id }) => id === DEFAULT_TENANT);
  if (tenant) return tenant;
  throw new Refused({
    code: 'invalid-request',
    detail: 'say which tenant, as in ?tenant=contoso',
    faults: [{ pointer: '/tenant', detail: 'is required, as there are several tenants' }],
  });
}

/** Whether an operator may see every tenant that is served. */
export function seesAll(res: Response, tenants: ServedTenants): boolean {
  const caller = callerOf(res);
  if (caller.kind !== 'operator') return false;
  const { tenantIds } = caller;
  return tenantIds === null || tenants.all().every(({ id }) => tenantIds.includes(id));
}
