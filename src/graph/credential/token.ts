// The app's access token: one request at a time, refreshed early, renewed after a 401.
import type { TokenCredential } from '@azure/identity';
import type { GraphConfig } from '../../config/graph.ts';
import pTimeout from 'p-timeout';
import type { Failure } from '../../domain/attempt/failure.ts';
import type { RequestEnded } from '../request-ended.ts';
import { createCredential } from './credential.ts';
import { diagnoseCredential, statusOf, type TokenExchange } from './credential-failure.ts';
import { readWait } from '../retry-after.ts';

export type Token = { ok: true; value: string } | { ok: false; failure: Failure };

export type TokenSource = {
  /** A token that is valid now. */
  get: () => Promise<Token>;
  /** A new token after Graph refused this one; later callers with the same refused token share the result. */
  renew: (refused: string) => Promise<Token>;
  /** Makes the next token a new one: permissions are part of a token when it is issued. */
  forget: (refused: string) => void;
};

/** @azure/identity returns a token until 5 minutes before it expires; so do we, but at most for half its lifetime. */
const RENEW_BEFORE_MS = 300_000;
/** Pause after an early renewal failed. */
const RENEW_AGAIN_MS = 5000;
/** The longest Retry-After of the token endpoint that is obeyed: meanwhile nothing is delivered, and no operator could end it. */
const LONGEST_WAIT_MS = 300_000;
/** All requests (discovery and token) for one token. */
const TOKEN_TIMEOUT_MS = 20_000;

type Held = { value: string; renewAt: number; expiresAt: number };

/** A token source for the configured credential. */
export function createTokenSource(config: GraphConfig, clock: () => number, ended: RequestEnded): TokenSource {
  let credential: TokenCredential | null = null;
  let held: Held | null = null;
  let fetching: Promise<Token> | null = null;
  /** The last exchange of the token request in progress. */
  const last: { exchange: TokenExchange | null } = { exchange: null };
  /** Until when the endpoint asked not to be called, and the failure to report until then. */
  let asked: { until: number; answer: Token } | null = null;

  function fetchToken(): Promise<Token> {
    if (asked && clock() < asked.until) return Promise.resolve(asked.answer);
    return (fetching ??= request().finally(() => (fetching = null)));
  }

  async function request(): Promise<Token> {
    const startedAt = performance.now();
    last.exchange = null;
    try {
      credential ??= createCredential(config, (exchange) => (last.exchange = exchange));
      const token = await pTimeout(credential.getToken(config.scope), { milliseconds: TOKEN_TIMEOUT_MS });
      if (token === null) throw new Error('the credential gave no token');
      const now = clock();
      const lifeMs = token.expiresOnTimestamp - now;
      held = {
        value: token.token,
        expiresAt: token.expiresOnTimestamp,
        renewAt: Math.min(
          token.refreshAfterTimestamp ?? Infinity,
          now + Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2),
        ),
      };
      ended({ operation: 'token', status: 200, durationMs: performance.now() - startedAt });
      return { ok: true, value: held.value };
    } catch (error) {
      const exchange = last.exchange as TokenExchange | null;
      // The next request uses a new instance: it re-reads a rotated certificate and is free of MSAL's 60 s lockout after a failure.
      credential = null;
      ended({ operation: 'token', status: statusOf(error, exchange), durationMs: performance.now() - startedAt });
      const refused: Token = { ok: false, failure: diagnoseCredential(error, exchange) };
      const waitMs = exchange?.headers ? readWait(exchange.headers, null, clock()).ms : null;
      asked = waitMs === null ? null : { until: clock() + Math.min(waitMs, LONGEST_WAIT_MS), answer: refused };
      return refused;
    }
  }

  function forget(refused: string): void {
    if (held?.value !== refused) return;
    held = null;
    credential = null;
  }

  return {
    get: async () => {
      const now = clock();
      if (held && now >= held.expiresAt) forget(held.value);
      if (!held) return fetchToken();
      if (now >= held.renewAt && !fetching) {
        // The old token is used while the new one is requested, or while the endpoint fails.
        held.renewAt = now + RENEW_AGAIN_MS;
        credential = null;
        void fetchToken();
      }
      return { ok: true, value: held.value };
    },
    forget,
    renew: async (refused) => {
      forget(refused);
      return held ? { ok: true, value: held.value } : fetchToken();
    },
  };
}
