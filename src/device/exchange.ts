// One signed request of a device and its answer, within a time limit.
import type { Unreachable } from './outcome.ts';
import { readText } from './response-text.ts';
import { signRequest, type DeviceCredentials } from './sign-request.ts';

/** Which device reports to which bridge, and how its requests are made. */
export type DeviceClientOptions = {
  /** The bridge's URL, e.g. `http://localhost:8080`, optionally with a base path. */
  baseUrl: string;
  deviceId: string;
  /** The device's tenant, where the bridge serves several. */
  tenant?: string;
  /** Aborts the request. */
  signal?: AbortSignal;
  fetch?: typeof globalThis.fetch;
  /** The device's clock. */
  now?: () => number;
  /** How long one request may take until its response has been read. */
  requestTimeoutMs?: number;
} & DeviceCredentials;

export type DeviceRequest = {
  method: 'GET' | 'POST';
  /** Below the bridge's URL. */
  path: string;
} & ({ contentType: string; body: string } | { contentType?: never; body?: never });

export type Exchanged = { response: Response; text: string };

const usualRequestTimeoutMs = 30_000;
/** Longest response that is read; no receipt or delivery comes near it. */
const MOST_CHARACTERS = 1024 * 1024;

/** Signs, sends, and reads the answer. Throws if the signal aborts; without an answer it says why. */
export async function exchange(
  { method, path, contentType, body }: DeviceRequest,
  options: DeviceClientOptions,
): Promise<Exchanged | Unreachable> {
  const { signal, fetch = globalThis.fetch, now = Date.now } = options;
  const { origin, pathname } = new URL(options.baseUrl);
  const url = new URL(`${pathname.replace(/\/+$/, '')}${path}`, origin);
  const createdAtS = Math.floor(now() / 1000);
  const signed = await signRequest({ ...options, method, url, ...(body === undefined ? {} : { body }), createdAtS });
  const timeout = AbortSignal.timeout(options.requestTimeoutMs ?? usualRequestTimeoutMs);
  try {
    const response = await fetch(url, {
      method,
      headers: { ...signed, ...(contentType === undefined ? {} : { 'Content-Type': contentType }) },
      body: body ?? null,
      // Redirects are not followed: the signature is valid for this URL only.
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    return { response, text: await readText(response, MOST_CHARACTERS) };
  } catch (error) {
    signal?.throwIfAborted();
    return { kind: 'unreachable', reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
