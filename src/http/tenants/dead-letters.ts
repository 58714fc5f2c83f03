// Dead letters of several tenants: listed one tenant after another, counted and changed in all of them.
import type { Response } from 'express';
import { parseCursor } from '../../domain/operations/dead-letter-position.ts';
import type { Delivery } from '../../domain/delivery.ts';
import type { DeadLetterFilter } from '../../domain/operations/dead-letter.ts';
import type { Selection, ServedTenant } from './served-tenant.ts';
import { audit, type AuditParts } from './audit.ts';

/** A position in one tenant's list; null for its beginning, and no tenant where there is only one. */
type TenantsCursor = { tenantId: string | null; cursor: string | null };

/** Null if we did not issue it. */
export function parseTenantsCursor(text: string): TenantsCursor | null {
  const [, tenantId = null, cursor = ''] = /^(?:([a-z0-9-]{1,40})\.)?(.*)$/s.exec(text) ?? [];
  if (cursor === '' && tenantId !== null) return { tenantId, cursor: null };
  return parseCursor(cursor) === null ? null : { tenantId, cursor };
}

export type Page = { deadLetters: Delivery[]; nextCursor: string | null };

/** Newest first within a tenant; the tenants in the order of their ids. */
export async function listDeadLetters(
  tenants: readonly ServedTenant[],
  { filter, limit, cursor }: { filter: DeadLetterFilter; limit: number; cursor: string | null },
): Promise<Page> {
  const ordered = tenants.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const from = cursor === null ? null : parseTenantsCursor(cursor);
  const [only, ...others] = ordered;
  if (only && others.length === 0) return only.deadLetters.list(filter, limit, from?.cursor ?? null);
  const deadLetters: Delivery[] = [];
  for (const tenant of ordered) {
    if (from?.tenantId != null && tenant.id < from.tenantId) continue;
    if (deadLetters.length === limit) return { deadLetters, nextCursor: `${tenant.id}.` };
    const start = tenant.id === from?.tenantId ? from.cursor : null;
    const page = await tenant.deadLetters.list(filter, limit - deadLetters.length, start);
    deadLetters.push(...page.deadLetters);
    if (page.nextCursor !== null) return { deadLetters, nextCursor: `${tenant.id}.${page.nextCursor}` };
  }
  return { deadLetters, nextCursor: null };
}

export async function countDeadLetters(tenants: readonly ServedTenant[], selection: Selection): Promise<number> {
  return sum(await Promise.all(tenants.map(({ deadLetters }) => deadLetters.count(selection))));
}

export type Change = {
  operation: 'replay' | 'purge';
  selection: Selection;
};

/** With one line for the audit for each tenant in which something changed. @returns how many were changed */
export async function changeDeadLetters(
  tenants: readonly ServedTenant[],
  { operation, selection }: Change,
  { parts, res }: { parts: AuditParts; res: Response },
): Promise<number> {
  const changes = tenants.map(async ({ id: tenantId, deadLetters, now }) => {
    const changed = await (operation === 'replay'
      ? deadLetters.replay(selection, now())
      : deadLetters.purge(selection));
    const deliveryId = 'deliveryId' in selection ? { deliveryId: selection.deliveryId } : {};
    if (changed > 0 || tenants.length === 1) audit(parts, res, { operation, tenantId, ...deliveryId, changed });
    return changed;
  });
  return sum(await Promise.all(changes));
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
