// GET /v1/deliveries/{id}: for the device it is about, a relay or an operator; to anyone else it does not exist.
import type { RequestHandler, Response } from 'express';
import type { Delivery } from '../../domain/delivery.ts';
import { describeNote, type Note } from '../../domain/attempt/note.ts';
import type { DeliveryView } from '../response/response-schemas.ts';
import type { Caller, Callers } from '../identity/callers.ts';
import { queueUnavailable, Refused } from '../response/problem.ts';

export type DeliveryParts = {
  find: (id: string) => Promise<Delivery | null>;
  random: () => number;
  onQueueTrouble: (error: unknown) => void;
};

const HINT = 'sign the request with this device’s key, or be an operator';

/** Who asks: known before a place among those in hand is taken. */
export function identifyAsker({ identify }: Callers): RequestHandler<{ id: string }> {
  return async (req, res, next) => {
    res.locals['asker'] = await identify(req, res, {
      accept: ['operator', 'device', 'relay'],
      hasBody: false,
      hint: HINT,
    });
    next();
  };
}

const askerOf = (res: Response) => res.locals['asker'] as Caller;

export function getDelivery({ find, random, onQueueTrouble }: DeliveryParts): RequestHandler<{ id: string }> {
  return async (req, res) => {
    const caller = askerOf(res);
    const delivery = await find(req.params.id).catch((error: unknown) => {
      onQueueTrouble(error);
      throw queueUnavailable('ask again later', random);
    });
    if (!delivery || (caller.kind === 'device' && caller.deviceId !== delivery.deviceId)) {
      throw new Refused({ code: 'not-found', detail: 'there is no such delivery' });
    }
    res.locals['deliveryId'] = delivery.id;
    res.json(toView(delivery));
  };
}

/** A delivery as it is told. */
export function toView(delivery: Delivery): DeliveryView {
  const underWay = delivery.mark && {
    number: delivery.attemptsMade + 1,
    at: instant(delivery.mark.at),
    outcome: 'in-flight' as const,
    graphStatus: null,
    graphRequestId: null,
  };
  return {
    deliveryId: delivery.id,
    runId: delivery.runId,
    deviceId: delivery.deviceId,
    hardwareConfigurationId: delivery.hardwareConfigurationId,
    status: delivery.status,
    attempts: [
      ...delivery.attempts.map((attempt) => ({ ...attempt, at: instant(attempt.at) })),
      ...(underWay ? [underWay] : []),
    ],
    acceptedAt: instant(delivery.acceptedAt),
    deliveredAt: delivery.deliveredAt === null ? null : instant(delivery.deliveredAt),
    deviceRunStateId: delivery.deviceRunStateId,
    ...(delivery.supersededBy !== null && { supersededBy: delivery.supersededBy }),
    ...(delivery.notes.length > 0 && { notes: delivery.notes.map(toNoteView) }),
    lastFailure: delivery.lastFailure && { ...delivery.lastFailure, at: instant(delivery.lastFailure.at) },
  };
}

const toNoteView = (note: Note) => ({
  code: note.code,
  at: instant(note.at),
  ...(note.by !== null && { deliveryId: note.by }),
  detail: describeNote(note),
});

const instant = (at: number) => new Date(at).toISOString();
