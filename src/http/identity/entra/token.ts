// Verifies access tokens that Entra issued for this service to relays and operators, and reads app and roles from them.
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import pTimeout from 'p-timeout';
import type { EntraConfig } from '../../../config/identity.ts';
import { signingKeysUrl, toIssuers } from './tenant.ts';

export type TokenProof =
  | { kind: 'good'; roles: readonly string[]; appId: string }
  | { kind: 'bad'; reason: string }
  /** The signing keys are currently unavailable. */
  | { kind: 'unknown'; reason: string };

export type VerifyToken = (token: string) => Promise<TokenProof>;

/** Fetches the signing keys; supplied by the caller, which knows the proxy. */
export type FetchKeys = (url: string, options: { signal: AbortSignal }) => Promise<Response>;

/** A caller is refused within 2 s. */
const KEYS_WITHIN_MS = 1500;
/** Keys older than this are refetched while still in use; after a day they are no longer used. */
const KEYS_RENEWED_AFTER_MS = 3_600_000;
const KEYS_GOOD_FOR_MS = 86_400_000;
/** Pause after the endpoint failed; tokens under cached keys are still verified. */
const FAILED_FOR_MS = 1000;
const CLOCK_TOLERANCE_S = 60;
const ALGORITHM = 'RS256';

type TokenParts = {
  clock: () => number;
  /** The signing keys could not be fetched. */
  onTrouble: (error: unknown) => void;
  fetchKeys: FetchKeys;
};

export function createVerifyToken(config: EntraConfig, { clock, onTrouble, fetchKeys }: TokenParts): VerifyToken {
  const keys = createRemoteJWKSet(signingKeysUrl(config), {
    timeoutDuration: KEYS_WITHIN_MS,
    cacheMaxAge: KEYS_GOOD_FOR_MS,
    [customFetch]: fetchKeys,
  });
  const options = {
    algorithms: [ALGORITHM],
    issuer: toIssuers(config),
    audience: [...config.audiences],
    requiredClaims: ['exp', 'tid', 'sub'],
    clockTolerance: CLOCK_TOLERANCE_S,
  };
  let renewAt = Infinity;
  let failedAt = -Infinity;

  function renewEarly(): void {
    if (renewAt === Infinity) renewAt = performance.now() + KEYS_RENEWED_AFTER_MS;
    if (performance.now() < renewAt) return;
    renewAt = performance.now() + KEYS_RENEWED_AFTER_MS;
    keys.reload().catch(onTrouble);
  }

  const isHeld = (keyId: string) => keys.jwks()?.keys.some(({ kid }) => kid === keyId) ?? false;

  return async (token) => {
    const keyId = readKeyId(token);
    if (keyId === null) return { kind: 'bad', reason: 'the token is none, or not signed with RS256' };
    if (performance.now() - failedAt < FAILED_FOR_MS && !isHeld(keyId))
      return { kind: 'unknown', reason: 'no signing keys a moment ago' };
    try {
      const verifying = jwtVerify(token, keys, { ...options, currentDate: new Date(clock()) });
      const { payload } = await pTimeout(verifying, { milliseconds: KEYS_WITHIN_MS });
      renewEarly();
      return toProof(payload, config.tenantId);
    } catch (error) {
      if (isTheTokens(error)) return { kind: 'bad', reason: `the token is not good: ${error.code}${claimOf(error)}` };
      failedAt = performance.now();
      onTrouble(error);
      return { kind: 'unknown', reason: 'the signing keys cannot be fetched' };
    }
  };
}

function toProof(payload: JWTPayload, tenantId: string): TokenProof {
  const { tid, roles, azp, appid } = payload;
  if (tid !== tenantId) return { kind: 'bad', reason: 'the token is of another tenant' };
  const appId = [azp, appid, payload.sub].find((id) => typeof id === 'string') as string;
  return { kind: 'good', roles: Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : [], appId };
}

/** The id of the key that signed a token; null if it is not a token, or not signed the way Entra signs. */
function readKeyId(token: string): string | null {
  try {
    const { alg, kid, crit } = decodeProtectedHeader(token);
    const isEntras = alg === ALGORITHM && typeof kid === 'string' && crit === undefined;
    return isEntras && token.split('.').length === 3 ? kid : null;
  } catch {
    return null;
  }
}

/** Any other error says nothing about the token. */
function isTheTokens(error: unknown): error is errors.JOSEError {
  return (
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JWKSNoMatchingKey
  );
}

function claimOf(error: errors.JOSEError): string {
  return 'claim' in error && typeof error.claim === 'string' ? ` (${error.claim})` : '';
}
