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
  /** A token that is good for now. */
  get: () => Promise<Token>;
  /** A new one, since Graph refused this one; whoever comes later with the same refused token shares the answer. */
  renew: (refused: string) => Promise<Token>;
  /** The next one shall be new: permissions are written into a token when it is issued. */
  forget: (refused: string) => void;
};

/** @azure/identity gives a token out until 5 minutes before its end; so do we, and no later than half its life. */
const RENEW_BEFORE_MS = 300_000;
/** After an early renewal failed. */
const RENEW_AGAIN_MS = 5000;
/** The longest an endpoint that asks to wait is left alone: nothing flows meanwhile, and no operator could end it. */
const LONGEST_WAIT_MS = 300_000;
/** All requests (discovery and token) for one token. */
const TOKEN_TIMEOUT_MS = 20_000;

type Held = { value: string; renewAt: number; expiresAt: number };

/** A source for the credential the configuration names. */
export function createTokenSource(config: GraphConfig, clock: () => number, ended: RequestEnded): TokenSource {
  let credential: TokenCredential | null = null;
  let held: Held | null = null;
  let fetching: Promise<Token> | null = null;
  /** The last request for the token under way. */
  const last: { exchange: TokenExchange | null } = { exchange: null };
  /** Until when the endpoint does not want to be asked, and what it said. */
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
      // A new instance next time: it reads a rotated certificate, and is free of MSAL's 60 s lock-out after a failure.
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
        // The old token still serves while the new one is on its way, or while the endpoint is in trouble.
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
