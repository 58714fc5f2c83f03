// A device's signed requests to the bridge: submitting a run result, and reading one of its deliveries.
import { parseObject, toRefused, toSubmitOutcome } from './outcome.ts';
import type { Refused, SubmitOutcome, Unreachable } from './outcome.ts';
import { exchange, type DeviceClientOptions } from './exchange.ts';

export type { DeviceClientOptions } from './exchange.ts';

/** A delivery as the bridge describes it to the device that submitted it. */
export type DeliveryReport = {
  deliveryId: string;
  runId: string;
  deviceId: string;
  hardwareConfigurationId: string;
  status: 'queued' | 'delivering' | 'waiting' | 'delivered' | 'dead' | 'superseded';
  attempts: {
    number: number;
    at: string;
    outcome: string;
    graphStatus: number | null;
    graphRequestId: string | null;
  }[];
  acceptedAt: string;
  deliveredAt: string | null;
  deviceRunStateId: string | null;
  lastFailure: unknown;
};

export type ReadOutcome = { kind: 'found'; delivery: DeliveryReport } | Refused | Unreachable;

/** Submits a run result once. Throws if the signal aborts; any other result of the request is an outcome. */
export async function submit(runResult: object, options: DeviceClientOptions): Promise<SubmitOutcome> {
  const body = JSON.stringify(runResult);
  const answered = await exchange(
    { method: 'POST', path: '/v1/run-results', contentType: 'application/json', body },
    options,
  );
  if ('kind' in answered) return answered;
  return toSubmitOutcome(answered.response, answered.text, (options.now ?? Date.now)());
}

/** Reads one of the device's own deliveries. Throws if the signal aborts. */
export async function readDelivery(deliveryId: string, options: DeviceClientOptions): Promise<ReadOutcome> {
  const answered = await exchange({ method: 'GET', path: `/v1/deliveries/${encodeURIComponent(deliveryId)}` }, options);
  if ('kind' in answered) return answered;
  const { response, text } = answered;
  if (!response.ok) return toRefused(response, text, (options.now ?? Date.now)());
  const delivery = parseObject(text);
  if (typeof delivery?.['status'] !== 'string' || delivery['deliveryId'] !== deliveryId) {
    return {
      kind: 'unreachable',
      reason: `answered ${response.status} without the delivery`,
      httpStatus: response.status,
    };
  }
  return { kind: 'found', delivery: delivery as DeliveryReport };
}
