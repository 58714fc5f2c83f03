// Asks Graph about one device of the Entra directory.
import { randomUUID } from 'node:crypto';
import { fetch, type Dispatcher } from 'undici';
import type { GraphConfig } from '../config/graph.ts';
import type { Failure } from '../domain/attempt/failure.ts';
import type { DirectoryAnswer } from '../domain/directory/directory-answer.ts';
import { toDirectoryDevice, type DeviceAnswer } from '../domain/directory/directory-device.ts';
import { readBody } from './body.ts';
import type { GraphClientParts } from './client.ts';
import { diagnose, diagnoseThrown, isFromGraph, type Answer } from './diagnose.ts';
import { proxyFor } from './proxy.ts';
import { createAgent } from './transport.ts';

export type DeviceClient = {
  /** Never throws. @param deviceId a GUID */
  find: (deviceId: string, signal: AbortSignal) => Promise<DirectoryAnswer>;
  close: () => Promise<void>;
};

const DEVICE_MEMBERS = 'deviceId,accountEnabled,isManaged,trustType,alternativeSecurityIds';

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Longer than any answer about one device. */
const TIMEOUT_MS = 10_000;
/**
 * Directory services say how much of their limit an app uses, from 80 % on. The pause after such an answer leaves the rest
 * to other apps of the tenant.
 */
const PAUSES = [
  { from: 1, ms: 1000 },
  { from: 0.8, ms: 200 },
];

/** The address of the directory's devices: Graph's root, as `baseUrl` without its version, and the version that has them. */
const collectionUrl = ({ baseUrl }: Pick<GraphConfig, 'baseUrl'>): string =>
  `${baseUrl.replace(/\/[^/]*$/, '')}/v1.0/devices`;

/** One device. @param deviceId a GUID */
export const deviceUrl = (config: Pick<GraphConfig, 'baseUrl'>, deviceId: string): string =>
  `${collectionUrl(config)}(deviceId='${deviceId}')?$select=${DEVICE_MEMBERS}`;

/** A few devices. */
export const devicesUrl = (config: Pick<GraphConfig, 'baseUrl'>, count: number): string =>
  `${collectionUrl(config)}?$top=${count}&$select=${DEVICE_MEMBERS}`;

export function createDeviceClient({ config, tokens, clock, ended }: GraphClientParts): DeviceClient {
  const timeoutMs = Math.min(config.attemptTimeoutMs, TIMEOUT_MS);
  let agent = connect();

  function connect(): Dispatcher {
    return createAgent(timeoutMs, proxyFor(collectionUrl(config), config.proxy));
  }

  async function send(deviceId: string, token: string, signal: AbortSignal): Promise<Answer | Failure> {
    const startedAt = performance.now();
    const ids = { client: randomUUID(), graph: null as string | null };
    let status: number | null = null;
    try {
      const response = await fetch(deviceUrl(config, deviceId), {
        dispatcher: agent,
        redirect: 'manual',
        headers: { Authorization: `Bearer ${token}`, 'client-request-id': ids.client },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      status = response.status;
      ids.graph = response.headers.get('request-id');
      const answer = { status, headers: response.headers, body: await readBody(response, 'device') };
      // As for device run states: the next connection may reach a healthier server.
      if (status === 503) void replaceAgent();
      return answer;
    } catch (error) {
      return diagnoseThrown(error);
    } finally {
      ended({ operation: 'device', status, durationMs: performance.now() - startedAt, ids });
    }
  }

  async function replaceAgent(): Promise<void> {
    const old = agent;
    agent = connect();
    await old.close();
  }

  async function find(deviceId: string, signal: AbortSignal): Promise<DirectoryAnswer> {
    if (!GUID.test(deviceId)) throw new Error('the id of a device in the directory is no GUID');
    const first = await tokens.get();
    if (!first.ok) return toAnswer(first.failure);
    const answer = await send(deviceId, first.value, signal);
    if (!('headers' in answer)) return toAnswer(answer);
    // Permissions are part of a token when it is issued.
    if (answer.status === 403) tokens.forget(first.value);
    if (answer.status !== 401 || !isFromGraph(answer)) return readAnswer(answer, deviceId, clock());
    const second = await tokens.renew(first.value);
    if (!second.ok) return toAnswer(second.failure);
    const again = await send(deviceId, second.value, signal);
    return 'headers' in again ? readAnswer(again, deviceId, clock()) : toAnswer(again);
  }

  return { find, close: () => agent.destroy() };
}

function readAnswer(answer: Answer, deviceId: string, now: number): DirectoryAnswer {
  const pauseMs = toPauseMs(answer.headers.get('x-ms-throttle-limit-percentage'));
  if (answer.status === 200) {
    const device = parse(answer.body) as (DeviceAnswer & { deviceId?: unknown }) | null;
    const named = typeof device?.deviceId === 'string' ? device.deviceId.toLowerCase() : null;
    if (device === null || named !== deviceId)
      return failed('200 with another device, or an answer that cannot be read');
    return { kind: 'found', device: toDirectoryDevice(device), pauseMs };
  }
  // Graph repeats the id, which is nobody else's business.
  const failure = diagnose({ answer, now, said: [deviceId] });
  const isAbsent = answer.status === 404 && failure.graph?.code === 'Request_ResourceNotFound';
  return isAbsent ? { kind: 'not-found', pauseMs } : toAnswer(failure);
}

function toAnswer(failure: Failure): DirectoryAnswer {
  const { detail } = failure;
  switch (failure.kind) {
    case 'throttled':
      return { kind: 'throttled', retryAfterMs: failure.retryAfterMs, detail };
    case 'unauthenticated':
    case 'forbidden':
      return { kind: 'held', reason: 'refused', detail };
    case 'credential-refused':
      return { kind: 'held', reason: 'credential-refused', detail };
    case 'not-sent':
    case 'route-not-served':
      return { kind: 'held', reason: 'unavailable', detail };
    case 'uncertain':
    case 'delayed':
    case 'inconclusive':
    case 'conflict':
    case 'rejected':
      return failed(detail);
  }
}

const failed = (detail: string): DirectoryAnswer => ({ kind: 'failed', detail });

function toPauseMs(percentage: string | null): number {
  const used = Number(percentage ?? 0);
  return PAUSES.find(({ from }) => used >= from)?.ms ?? 0;
}

function parse(body: string | null): unknown {
  try {
    return JSON.parse(body ?? '') as unknown;
  } catch {
    return null;
  }
}
