// Single requests to Graph and its token endpoint for the doctor, and the claims of the app's token.
import { decodeJwt } from 'jose';
import { fetch } from 'undici';
import type { GraphConfig } from '../../config/graph.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import { readBody } from '../body.ts';
import { diagnose, diagnoseThrown } from '../diagnose.ts';
import { proxyFor } from '../proxy.ts';
import { createTokenSource } from '../credential/token.ts';
import { createAgent } from '../transport.ts';

/** Claims of the app's access token. */
export type Claims = {
  roles: string[];
  tenantId: string | null;
  /** Milliseconds since 1970. */
  expiresAt: number | null;
};

export type Obtained =
  | { kind: 'token'; value: string; tookMs: number; /** Null where the token cannot be read. */ claims: Claims | null }
  | { kind: 'refused'; failure: Failure };

export type Answered = {
  /** Null on success. */
  failure: Failure | null;
  /** Null if there was no response. */
  status: number | null;
  tookMs: number;
  /** How far Graph's clock is ahead of the local one, by its Date header; null without one. */
  clockAheadMs: number | null;
  body: unknown;
};

/** Obtains a token in the same way as a worker. */
export async function obtainToken(config: GraphConfig, clock: () => number): Promise<Obtained> {
  const startedAt = performance.now();
  const token = await createTokenSource(config, clock, () => undefined).get();
  if (!token.ok) return { kind: 'refused', failure: token.failure };
  return { kind: 'token', value: token.value, tookMs: performance.now() - startedAt, claims: readClaims(token.value) };
}

function readClaims(token: string): Claims | null {
  try {
    const { roles, tid, exp } = decodeJwt(token);
    return {
      roles: Array.isArray(roles) ? roles.map(String) : [],
      tenantId: typeof tid === 'string' ? tid : null,
      expiresAt: exp === undefined ? null : exp * 1000,
    };
  } catch {
    return null;
  }
}

/** The collection of hardware configurations, or one of them. */
export function configurationUrl({ baseUrl }: GraphConfig, id?: string): string {
  const collection = `${baseUrl}/deviceManagement/hardwareConfigurations`;
  return id === undefined ? `${collection}?$top=1` : `${collection}/${encodeURIComponent(id)}`;
}

export type GraphRequest = { method: 'GET' | 'DELETE'; url: string; token: string };

/** Sends one request; redirects are not followed. */
export async function requestGraph(
  { method, url, token }: GraphRequest,
  { attemptTimeoutMs, proxy }: GraphConfig,
  clock: () => number,
): Promise<Answered> {
  const agent = createAgent(attemptTimeoutMs, proxyFor(url, proxy));
  const askedAt = clock();
  const startedAt = performance.now();
  try {
    const response = await fetch(url, {
      method,
      dispatcher: agent,
      redirect: 'manual',
      headers: { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(attemptTimeoutMs),
    });
    const body = await readBody(response, 'list');
    const { status, headers } = response;
    return {
      failure: response.ok ? null : diagnose({ answer: { status, headers, body }, now: clock() }),
      status,
      tookMs: performance.now() - startedAt,
      clockAheadMs: readSkew(headers.get('date'), askedAt, clock()),
      body: parse(body),
    };
  } catch (error) {
    const tookMs = performance.now() - startedAt;
    return { failure: diagnoseThrown(error), status: null, tookMs, clockAheadMs: null, body: null };
  } finally {
    void agent.destroy().catch(() => undefined);
  }
}

/** Date has whole seconds and is up to one second old, so half a second is added. */
function readSkew(date: string | null, askedAt: number, answeredAt: number): number | null {
  const at = Date.parse(date ?? '');
  return Number.isNaN(at) ? null : at + 500 - (askedAt + answeredAt) / 2;
}

function parse(body: string | null): unknown {
  try {
    return JSON.parse(body ?? '') as unknown;
  } catch {
    return null;
  }
}
