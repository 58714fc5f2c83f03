// The transport to Graph: keep-alive connections, and whether a request was certainly not sent.
import type { Context, Middleware } from '@microsoft/microsoft-graph-client';
import { Agent, buildConnector, fetch, Pool, ProxyAgent, type Dispatcher, type RequestInit } from 'undici';

/** No connection was established, so nothing was sent; `cause` says why. */
export class NotConnected extends Error {
  constructor(cause: Error) {
    super(`no connection: ${cause.message}`, { cause });
    this.name = 'NotConnected';
  }
}

/** So much time passed between announcing and sending a request that sending it is no longer safe. */
export class TooLate extends Error {
  constructor() {
    super('the request was not sent in time');
    this.name = 'TooLate';
  }
}

/** Per-request state outside the Graph SDK, which drops error causes. */
export type SendGuard = { sendBefore: number; error: unknown };

export type Transport = Middleware & { close: () => Promise<void> };

const KEEP_ALIVE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Share of an attempt's time: the attempt must not end while it is unknown whether a connection was established. */
const CONNECT_SHARE = 0.8;

/**
 * The last middleware of the Graph SDK's chain. Each request carries a SendGuard in its options (`guard`), which receives
 * any transport error.
 * @param timeoutMs of a whole attempt; connecting may not take longer
 * @param proxyUrl of the proxy for Graph; null for direct connections
 */
export function createTransport(timeoutMs: number, proxyUrl: string | null, clock: () => number): Transport {
  let agent = createAgent(timeoutMs, proxyUrl);

  return {
    execute: async (context: Context) => {
      const { guard, ...options } = context.options as unknown as RequestInit & { guard: SendGuard };
      if (clock() > guard.sendBefore) throw (guard.error = new TooLate());
      try {
        const response = await fetch(String(context.request), { ...options, dispatcher: agent, redirect: 'manual' });
        Object.assign(context, { response });
        // Microsoft asks for a new connection after a 503: the next one may reach a healthier server.
        if (response.status === 503) void retire();
      } catch (error) {
        guard.error = error;
        throw error;
      }
    },
    close: () => agent.destroy(),
  };

  async function retire(): Promise<void> {
    const old = agent;
    agent = createAgent(timeoutMs, proxyUrl);
    await old.close();
  }
}

/** Connections of our own; failures to connect are reported as NotConnected. */
export function createAgent(timeoutMs: number, proxyUrl: string | null): Dispatcher {
  const timeout = Math.min(CONNECT_TIMEOUT_MS, timeoutMs * CONNECT_SHARE);
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  if (proxyUrl === null)
    return new Agent({ ...options, connect: tellingConnector(buildConnector({ timeout }), timeout) });
  return new ProxyAgent({
    ...options,
    uri: proxyUrl,
    connectTimeout: timeout,
    // Called with the connector that requests a tunnel from the proxy.
    factory: (origin: string | URL, { connect, ...rest }: { connect: buildConnector.connector }) =>
      new Pool(origin, { ...rest, connect: tellingConnector(connect, timeout) }),
  });
}

/** Reports every failure to connect as NotConnected, also for a proxy that never responds. */
function tellingConnector(connector: buildConnector.connector, timeoutMs: number): buildConnector.connector {
  return (options, callback) => {
    let isDone = false;
    const done: buildConnector.Callback = (...result) => {
      const [error, socket] = result;
      if (isDone) return void socket?.destroy();
      isDone = true;
      clearTimeout(timer);
      if (error) callback(new NotConnected(error), null);
      else callback(...result);
    };
    const timer = setTimeout(() => {
      done(new Error(`no connection within ${Math.round(timeoutMs)} ms`), null);
    }, timeoutMs);
    connector(options, done);
  };
}

/** Determines why fetch failed: NotConnected, TooLate, or the innermost error of a request that may have arrived. */
export function rootCause(error: unknown): unknown {
  if (error instanceof NotConnected || error instanceof TooLate) return error;
  return error instanceof Error && error.cause !== undefined ? rootCause(error.cause) : error;
}
