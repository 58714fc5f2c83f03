// Creates and lists device run states with the Graph SDK, with the SDK's own retries and redirects disabled.
import {
  AuthenticationHandler,
  AuthenticationHandlerOptions,
  Client,
  ResponseType,
  TelemetryHandler,
} from '@microsoft/microsoft-graph-client';
import { randomUUID } from 'node:crypto';
import type { GraphConfig } from '../config/graph.ts';
import type { Outcome } from '../domain/delivery.ts';
import type { DeviceRunState } from '../domain/device-run-state.ts';
import type { Failure } from '../domain/attempt/failure.ts';
import { readBody } from './body.ts';
import { DELAYED, diagnose, diagnoseThrown, isFromGraph, type Answer } from './diagnose.ts';
import { readPage, type Page } from './lookup/page.ts';
import { proxyFor } from './proxy.ts';
import type { Token, TokenSource } from './credential/token.ts';
import { watchStandstill } from './standstill.ts';
import type { RequestEnded } from './request-ended.ts';
import { createTransport, type SendGuard } from './transport.ts';
import type { HardwareConfigurationDeviceState, HardwareConfigurationDeviceStateCreate } from './wire.ts';

export type PageOfStates = Page & { kind: 'page'; requestId: string | null };

export type GraphClient = {
  /**
   * Creates one device run state. Never throws; an answer that cannot be read is uncertain.
   * @param announcedAt when the intent was recorded; nothing is sent if that is too long ago
   */
  create: (state: DeviceRunState, announcedAt: number, signal: AbortSignal) => Promise<Outcome>;
  /** Reads one page of a configuration's device run states. @param url of states(), or a page's `next` */
  list: (url: string, signal: AbortSignal) => Promise<PageOfStates | Failure>;
  /** The collection of a configuration's device run states. */
  states: (hardwareConfigurationId: string) => string;
  close: () => Promise<void>;
};

/** A request announced this long ago is no longer sent: another worker may have taken the delivery over. */
const SEND_WITHIN_MS = 10_000;
const TOO_LATE: Token = { ok: false, failure: DELAYED };
const TOKEN_TOO_LATE: Token = {
  ok: false,
  failure: { kind: 'not-sent', upstream: 'token-endpoint', detail: 'the token took too long', graph: null },
};

type Request = { operation: 'create' | 'list'; url: string; body?: object; announcedAt: number; signal: AbortSignal };

export type GraphClientParts = { config: GraphConfig; tokens: TokenSource; clock: () => number; ended: RequestEnded };

/** A client for one tenant. */
export function createGraphClient({ config, tokens, clock, ended }: GraphClientParts): GraphClient {
  const transport = createTransport(config.attemptTimeoutMs, proxyFor(config.baseUrl, config.proxy), clock);
  // No RetryHandler (it repeats POSTs on 504) and no RedirectHandler (a create is never redirected).
  const authentication = new AuthenticationHandler({
    getAccessToken: () => Promise.reject(new Error('no token given')),
  });
  const telemetry = new TelemetryHandler();
  authentication.setNext(telemetry);
  telemetry.setNext(transport);
  const standstill = watchStandstill();
  const client = Client.initWithMiddleware({
    middleware: authentication,
    // Without this the client silently sends no token to hosts other than Graph's own.
    customHosts: new Set([new URL(config.baseUrl).hostname]),
  });

  async function send(
    { operation, url, body, announcedAt, signal }: Request,
    token: string,
  ): Promise<Answer | Failure> {
    const startedAt = performance.now();
    const guard: SendGuard = { sendBefore: announcedAt + SEND_WITHIN_MS, error: null };
    let status: number | null = null;
    const ids = { client: randomUUID(), graph: null as string | null };
    const stoodStillMs = standstill.totalMs();
    try {
      const timeout = AbortSignal.timeout(config.attemptTimeoutMs);
      const request = client
        .api(url)
        .responseType(ResponseType.RAW)
        .middlewareOptions([new AuthenticationHandlerOptions({ getAccessToken: () => Promise.resolve(token) })])
        .header('client-request-id', ids.client)
        .options({ signal: AbortSignal.any([signal, timeout]), guard });
      const response = (await (body ? request.post(body) : request.get())) as Response;
      status = response.status;
      ids.graph = response.headers.get('request-id');
      return { status, headers: response.headers, body: await readBody(response, operation) };
    } catch (error) {
      const failure = diagnoseThrown(guard.error ?? error);
      const isOurs = failure.kind === 'uncertain' && standstill.totalMs() > stoodStillMs;
      return isOurs
        ? { ...failure, detail: `${failure.detail} (this process stood still)`, stoodStill: true }
        : failure;
    } finally {
      ended({ operation, status, durationMs: performance.now() - startedAt, ids });
    }
  }

  /** A token, unless sending is no longer safe by the time it arrives; then a failure that says what caused the delay. */
  async function getToken({ announcedAt }: Request, obtain: () => Promise<Token>): Promise<Token> {
    const [askedAt, stoodStillMs] = [clock(), standstill.totalMs()];
    const token = await obtain();
    const ownMs = standstill.totalMs() - stoodStillMs;
    const tokenMs = clock() - askedAt - ownMs;
    if (!token.ok) return token.failure.kind === 'not-sent' && ownMs > tokenMs ? TOO_LATE : token;
    if (clock() <= announcedAt + SEND_WITHIN_MS) return token;
    // Reported as whatever took the larger part of the delay.
    return clock() - announcedAt > 2 * tokenMs ? TOO_LATE : TOKEN_TOO_LATE;
  }

  /** Sends with a valid token. A refused token is renewed once, since a request answered with 401 was certainly not executed. */
  async function sendAuthenticated(request: Request): Promise<Answer | Failure> {
    if (clock() > request.announcedAt + SEND_WITHIN_MS) return DELAYED;
    const first = await getToken(request, tokens.get);
    if (!first.ok) return first.failure;
    const answer = await send(request, first.value);
    if ('headers' in answer && answer.status === 403) tokens.forget(first.value);
    if (!('headers' in answer) || answer.status !== 401 || !isFromGraph(answer)) return answer;
    const second = await getToken(request, () => tokens.renew(first.value));
    return second.ok ? send(request, second.value) : second.failure;
  }

  return {
    create: async (state, announcedAt, signal) => {
      const { hardwareConfigurationId, ...members } = state;
      const body: HardwareConfigurationDeviceStateCreate = {
        '@odata.type': '#microsoft.graph.hardwareConfigurationDeviceState',
        ...members,
      };
      const url = statesUrl(config, hardwareConfigurationId);
      const answer = await sendAuthenticated({ operation: 'create', url, body, announcedAt, signal });
      if (!('headers' in answer)) return answer;
      if (answer.status !== 201) return diagnose({ answer, now: clock(), said: wordsOf(state), operation: 'create' });
      const graph = { status: answer.status, requestId: answer.headers.get('request-id') };
      const id = idOf(answer.body);
      return id === null
        ? {
            kind: 'uncertain',
            detail: `${answer.status} with an answer that cannot be read`,
            graph: { ...graph, code: null },
          }
        : { kind: 'created', deviceRunStateId: id, graph };
    },
    list: async (url, signal) => {
      if (URL.parse(url)?.origin !== new URL(config.baseUrl).origin) {
        return { kind: 'uncertain', detail: 'the page is on another host', graph: null };
      }
      const answer = await sendAuthenticated({ operation: 'list', url, announcedAt: clock(), signal });
      if (!('headers' in answer)) return answer;
      if (answer.status !== 200) return diagnose({ answer, now: clock() });
      const requestId = answer.headers.get('request-id');
      const page = readPage(parse(answer.body), url);
      if (page === null) {
        return {
          kind: 'uncertain',
          detail: 'a page that cannot be read',
          graph: { status: 200, code: null, requestId },
        };
      }
      return { kind: 'page', ...page, requestId };
    },
    states: (hardwareConfigurationId) => statesUrl(config, hardwareConfigurationId),
    close: () => {
      standstill.close();
      return transport.close();
    },
  };
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The only device data that becomes part of a URL, so anything but a GUID is refused whatever was checked before. */
function statesUrl({ baseUrl }: GraphConfig, hardwareConfigurationId: string): string {
  if (!GUID.test(hardwareConfigurationId)) throw new Error('the id of a hardware configuration is no GUID');
  return `${baseUrl}/deviceManagement/hardwareConfigurations/${hardwareConfigurationId}/deviceRunStates`;
}

/** Texts written by the device or naming a person. */
function wordsOf({ upn, configurationOutput, configurationError }: DeviceRunState): string[] {
  return [upn, configurationOutput, configurationError].filter((text) => typeof text === 'string');
}

function idOf(body: string | null): string | null {
  const json = parse(body) as HardwareConfigurationDeviceState | null;
  return typeof json?.id === 'string' && json.id !== '' ? json.id : null;
}

function parse(body: string | null): unknown {
  try {
    return JSON.parse(body ?? '') as unknown;
  } catch {
    return null;
  }
}
