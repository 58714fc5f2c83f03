// How requests reach Graph: kept-alive connections of our own, and the certainty of whether anything was sent.
import type { Context, Middleware } from '@microsoft/microsoft-graph-client';
import { Agent, buildConnector, fetch, type RequestInit } from 'undici';

/** No connection came to be, so nothing was sent; `cause` says why. */
export class NotConnected extends Error {
  constructor(cause: Error) {
    super(`no connection: ${cause.message}`, { cause });
    this.name = 'NotConnected';
  }
}

/** The worker was held up for so long between announcing a request and sending it that sending it is no longer safe. */
export class TooLate extends Error {
  constructor() {
    super('the request was not sent in time');
    this.name = 'TooLate';
  }
}

/** What happened to one request underneath the Graph client, which keeps no causes. */
export type Passage = { sendBefore: number; error: unknown };

export type Transport = Middleware & { close: () => Promise<void> };

const KEEP_ALIVE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The last middleware of the Graph client's chain. Each request carries a Passage in its options (`passage`), where a
 * transport error is left.
 * @param timeoutMs of a whole attempt; connecting may not take longer
 */
export function createTransport(timeoutMs: number, clock: () => number): Transport {
  let agent = createAgent(timeoutMs);

  return {
    execute: async (context: Context) => {
      const { passage, ...options } = context.options as unknown as RequestInit & { passage: Passage };
      if (clock() > passage.sendBefore) throw (passage.error = new TooLate());
      try {
        const response = await fetch(String(context.request), { ...options, dispatcher: agent, redirect: 'manual' });
        Object.assign(context, { response });
        // Microsoft asks for a new connection after a 503: the next one may reach a healthier server.
        if (response.status === 503) void retire();
      } catch (error) {
        passage.error = error;
        throw error;
      }
    },
    close: () => agent.destroy(),
  };

  async function retire(): Promise<void> {
    const old = agent;
    agent = createAgent(timeoutMs);
    await old.close();
  }
}

function createAgent(timeoutMs: number): Agent {
  const timeout = Math.min(CONNECT_TIMEOUT_MS, timeoutMs);
  const connector = buildConnector({ timeout });
  return new Agent({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: (options, callback) => {
      connector(options, (...result) => {
        const [error] = result;
        if (error) callback(new NotConnected(error), null);
        else callback(...result);
      });
    },
  });
}

/** Finds out why fetch failed: NotConnected, TooLate, or the innermost error of a request that may have arrived. */
export function rootCause(error: unknown): unknown {
  if (error instanceof NotConnected || error instanceof TooLate) return error;
  return error instanceof Error && error.cause !== undefined ? rootCause(error.cause) : error;
}
