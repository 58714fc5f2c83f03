// GET /v1/deliveries/{id}: for the device that submitted it, or an operator; to anyone else it does not exist.
import type { RequestHandler } from 'express';
import type { Delivery } from '../domain/delivery.ts';
import type { VerifyDevice } from './credentials.ts';
import { queueUnavailable, Refused } from './problem.ts';

export type DeliveryParts = {
  verifyDevice: VerifyDevice;
  /** Null where this service has no operators. */
  verifyOperator: ((authorization: string | undefined) => boolean) | null;
  find: (id: string) => Promise<Delivery | null>;
  random: () => number;
  onQueueTrouble: (error: unknown) => void;
};

export function getDelivery({
  verifyDevice,
  verifyOperator,
  find,
  random,
  onQueueTrouble,
}: DeliveryParts): RequestHandler<{ id: string }> {
  return async (req, res) => {
    const operator = verifyOperator?.(req.headers.authorization) ?? false;
    const signer = operator
      ? null
      : await verifyDevice({
          method: req.method,
          url: req.originalUrl,
          headersDistinct: req.headersDistinct,
          body: null,
        });
    if (signer && !signer.ok) {
      res.locals['reason'] = signer.reason;
      throw new Refused({
        code: 'unauthenticated',
        detail: 'sign the request with this device’s key, or be an operator',
      });
    }
    res.locals['deviceId'] = signer?.deviceId ?? null;
    const delivery = await find(req.params.id).catch((error: unknown) => {
      onQueueTrouble(error);
      throw queueUnavailable('ask again later', random);
    });
    if (!delivery || (signer && signer.deviceId !== delivery.deviceId)) {
      throw new Refused({ code: 'not-found', detail: 'there is no such delivery' });
    }
    res.locals['deliveryId'] = delivery.id;
    res.json(toView(delivery));
  };
}

/** A delivery as it is told. */
export function toView(delivery: Delivery) {
  const underWay = delivery.mark && {
    number: delivery.attemptsMade + 1,
    at: instant(delivery.mark.at),
    outcome: 'in-flight',
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
    deliveredAt: instant(delivery.deliveredAt),
    deviceRunStateId: delivery.deviceRunStateId,
    lastFailure: delivery.lastFailure && { ...delivery.lastFailure, at: instant(delivery.lastFailure.at) },
  };
}

function instant(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
