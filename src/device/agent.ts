// A device's signed requests to the bridge: submitting a run result, and reading one of its deliveries.
import { parseObject, toRefused, toSubmitOutcome } from './outcome.ts';
import type { Refused, SubmitOutcome, Unreachable } from './outcome.ts';
import { signRequest } from './sign-request.ts';

/** Which device reports to which bridge, and how its requests are made. */
export type Agent = {
  /** The bridge's URL, e.g. `http://localhost:8080`, optionally with a base path. */
  baseUrl: string;
  deviceId: string;
  /** In base64, as installed on the device. */
  deviceKey: string;
  /** Aborts the request. */
  signal?: AbortSignal;
  fetch?: typeof globalThis.fetch;
  /** The device's clock. */
  now?: () => number;
  /** How long one request may take until its response has been read. */
  requestTimeoutMs?: number;
};

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

const usualRequestTimeoutMs = 30_000;
/** Longest response that is read; no receipt or delivery comes near it. */
const MOST_CHARACTERS = 1024 * 1024;

/** Submits a run result once. Throws if the signal aborts; any other result of the request is an outcome. */
export async function submit(runResult: object, agent: Agent): Promise<SubmitOutcome> {
  const body = JSON.stringify(runResult);
  const answered = await exchange('POST', '/v1/run-results', body, agent);
  if ('kind' in answered) return answered;
  return toSubmitOutcome(answered.response, answered.text, readClock(agent));
}

/** Reads one of the device's own deliveries. Throws if the signal aborts. */
export async function readDelivery(deliveryId: string, agent: Agent): Promise<ReadOutcome> {
  const answered = await exchange('GET', `/v1/deliveries/${encodeURIComponent(deliveryId)}`, undefined, agent);
  if ('kind' in answered) return answered;
  const { response, text } = answered;
  if (!response.ok) return toRefused(response, text, readClock(agent));
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

async function exchange(
  method: 'GET' | 'POST',
  path: string,
  body: string | undefined,
  agent: Agent,
): Promise<{ response: Response; text: string } | Unreachable> {
  const { deviceId, deviceKey, signal, fetch = globalThis.fetch } = agent;
  const { origin, pathname } = new URL(agent.baseUrl);
  const url = new URL(`${pathname.replace(/\/+$/, '')}${path}`, origin);
  const createdAtS = Math.floor(readClock(agent) / 1000);
  const signed = await signRequest({
    method,
    url,
    ...(body === undefined ? {} : { body }),
    deviceId,
    deviceKey,
    createdAtS,
  });
  const timeout = AbortSignal.timeout(agent.requestTimeoutMs ?? usualRequestTimeoutMs);
  try {
    const response = await fetch(url, {
      method,
      headers: { ...signed, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      body: body ?? null,
      // Redirects are not followed: the signature is valid for this URL only.
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    return { response, text: await readText(response) };
  } catch (error) {
    signal?.throwIfAborted();
    return { kind: 'unreachable', reason: reasonOf(error) };
  }
}

async function readText({ body }: Response): Promise<string> {
  let text = '';
  for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.length > MOST_CHARACTERS) throw new Error('its answer does not end');
  }
  return text;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

function readClock({ now = Date.now }: Agent): number {
  return now();
}
