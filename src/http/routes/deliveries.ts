// GET /v1/deliveries/{id}: for its device, a relay or an operator; 404 for any other device.
import type { RequestHandler } from 'express';
import { isOfDevice, type CompactedDelivery } from '../../domain/submission/compacted-delivery.ts';
import type { Delivery } from '../../domain/delivery.ts';
import { describeNote, type Note } from '../../domain/attempt/note.ts';
import type { DeliveryView } from '../response/response-schemas.ts';
import type { Callers } from '../identity/callers.ts';
import { createAskQueue, type QueueParts } from '../request/ask-queue.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf, contextOf } from '../request/context.ts';
import { tenantsAskedFor } from '../tenants/tenant-of.ts';
import { Refused } from '../response/problem.ts';
import type { ServedTenant, ServedTenants } from '../tenants/served-tenant.ts';

export type DeliveryParts = QueueParts & { tenants: ServedTenants };

const HINT = 'sign the request with this device’s key, or be an operator';

/** Identifies the caller before the request counts as in flight. */
export function identifyAsker({ identify }: Callers): RequestHandler<{ id: string }> {
  return async (req, res, next) => {
    contextOf(res).caller = await identify(req, res, {
      accept: ['operator', 'device', 'relay'],
      hasBody: false,
      hint: HINT,
    });
    next();
  };
}

export function getDelivery(parts: DeliveryParts): RequestHandler<{ id: string }> {
  const askQueue = createAskQueue(parts);
  return async (req, res) => {
    const caller = callerOf(res);
    const asked = tenantsAskedFor(req, res, parts.tenants);
    const found = await askQueue(Promise.all(asked.map((tenant) => findView(tenant, req.params.id, caller))));
    const view = found.find((one) => one !== null);
    if (!view) throw new Refused({ code: 'not-found', detail: 'there is no such delivery' });
    Object.assign(contextOf(res), { tenantId: view.tenant, deliveryId: view.deliveryId });
    res.json(view);
  };
}

/** Null if there is none, or it is another device's. */
async function findView(
  { find, findCompacted }: ServedTenant,
  id: string,
  caller: Caller,
): Promise<DeliveryView | null> {
  const delivery = await find(id);
  if (delivery) return caller.kind !== 'device' || caller.deviceId === delivery.deviceId ? toView(delivery) : null;
  const compacted = await findCompacted(id);
  if (!compacted) return null;
  return caller.kind !== 'device' || isOfDevice(compacted, caller.deviceId) ? toCompactedView(compacted) : null;
}

/** A delivery as callers see it. */
export function toView(delivery: Delivery): DeliveryView {
  const current = delivery.intent && {
    number: delivery.attemptsMade + 1,
    at: instant(delivery.intent.at),
    outcome: 'in-flight' as const,
    graphStatus: null,
    graphRequestId: null,
  };
  return {
    deliveryId: delivery.id,
    tenant: delivery.tenantId,
    runId: delivery.runId,
    deviceId: delivery.deviceId,
    hardwareConfigurationId: delivery.hardwareConfigurationId,
    status: delivery.status,
    attempts: [
      ...delivery.attempts.map((attempt) => ({ ...attempt, at: instant(attempt.at) })),
      ...(current ? [current] : []),
    ],
    acceptedAt: instant(delivery.acceptedAt),
    deliveredAt: delivery.deliveredAt === null ? null : instant(delivery.deliveredAt),
    deviceRunStateId: delivery.deviceRunStateId,
    ...(delivery.supersededBy !== null && { supersededBy: delivery.supersededBy }),
    ...(delivery.notes.length > 0 && { notes: delivery.notes.map(toNoteView) }),
    lastFailure: delivery.lastFailure && { ...delivery.lastFailure, at: instant(delivery.lastFailure.at) },
  };
}

/** What is left of a delivered run. */
export function toCompactedView({ id, tenantId, acceptedAt, deliveredAt }: CompactedDelivery): DeliveryView {
  return {
    deliveryId: id,
    tenant: tenantId,
    runId: '',
    deviceId: '',
    hardwareConfigurationId: '',
    status: 'delivered',
    attempts: [],
    acceptedAt: instant(acceptedAt),
    deliveredAt: instant(deliveredAt),
    deviceRunStateId: null,
    lastFailure: null,
    compacted: true,
  };
}

const toNoteView = (note: Note) => ({
  code: note.code,
  at: instant(note.at),
  ...(note.by !== null && { deliveryId: note.by }),
  detail: describeNote(note),
});

const instant = (at: number) => new Date(at).toISOString();
