// The access tokens the sandbox's authority signs and its Graph checks.
import { randomUUID } from 'node:crypto';

import { SignJWT, decodeJwt, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import type { JWK, JWTPayload } from 'jose';

/** The claims about a caller that Graph checks. */
export type Bearer = { appId: string; roles: readonly string[]; claimsChallenge: 'understood' | 'not-understood' };

export type TokenCheck =
  { kind: 'accepted'; bearer: Bearer } | { kind: 'refused'; message: string; challenge: 'none' | 'claims' };

export type TokenRequest = {
  appId: string;
  audience: (typeof graphAudiences)[number];
  roles: readonly string[];
  lifetimeS: number;
  claimsChallenge: Bearer['claimsChallenge'];
};

export type AccessTokens = Awaited<ReturnType<typeof createAccessTokens>>;

/** The audiences of Microsoft Graph in the public clouds: roots and application id. Tokens are issued for nothing else. */
export const graphAudiences = [
  'https://graph.microsoft.com',
  'https://graph.microsoft.us',
  'https://dod-graph.microsoft.us',
  'https://microsoftgraph.chinacloudapi.cn',
  '00000003-0000-0000-c000-000000000000',
] as const;

const keyId = 'sandbox-1';
const mostTokensRemembered = 10_000;

/** Has its own signing key, and remembers what it signed. Checking a token again is a single map lookup. */
export async function createAccessTokens(identity: { tenantId: string }, now: () => number) {
  const keys = await generateKeyPair('RS256');
  const publicJwk: JWK = { ...(await exportJWK(keys.publicKey)), kid: keyId, use: 'sig', alg: 'RS256' };
  const issuer = `https://sts.windows.net/${identity.tenantId}/`;
  const verified = new Map<string, JWTPayload>();
  const revoked = new Set<string>();
  const issued: string[] = [];

  async function issue(request: TokenRequest): Promise<string> {
    const issuedAtS = Math.floor(now() / 1000);
    const id = randomUUID();
    issued.push(id);
    return await new SignJWT({
      appid: request.appId,
      tid: identity.tenantId,
      idtyp: 'app',
      ver: '1.0',
      ...(request.roles.length === 0 ? {} : { roles: [...request.roles] }),
      ...(request.claimsChallenge === 'understood' ? { xms_cc: ['cp1'] } : {}),
    })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: keyId })
      .setIssuer(issuer)
      .setAudience(request.audience)
      .setSubject(request.appId)
      .setJti(id)
      .setIssuedAt(issuedAtS)
      .setNotBefore(issuedAtS)
      .setExpirationTime(issuedAtS + request.lifetimeS)
      .sign(keys.privateKey);
  }

  /** Verifies signature and issuer only: expiry is checked on every use, as it has its own message. */
  async function verify(token: string): Promise<JWTPayload | undefined> {
    const known = verified.get(token);
    if (known !== undefined) return known;
    try {
      const { payload: claims } = await jwtVerify(token, keys.publicKey, {
        algorithms: ['RS256'],
        issuer,
        currentDate: new Date((decodeJwt(token).iat ?? 0) * 1000),
      });
      if (verified.size >= mostTokensRemembered) verified.clear();
      verified.set(token, claims);
      return claims;
    } catch {
      return undefined;
    }
  }

  async function check(authorization: string | undefined): Promise<TokenCheck> {
    const token = readBearer(authorization);
    if (token === undefined) return refused('Access token is empty.');
    const claims = await verify(token);
    if (claims === undefined) return refused('Access token validation failure. Invalid signature.');
    if ((claims.exp ?? 0) * 1000 <= now()) return refused('Lifetime validation failed, the token is expired.');
    const claimsChallenge = claims['xms_cc'] === undefined ? 'not-understood' : 'understood';
    if (revoked.has(claims.jti ?? '')) {
      const message = 'Continuous access evaluation resulted in challenge: TokenIssuedBeforeRevocationTimestamp.';
      return refused(message, claimsChallenge === 'understood' ? 'claims' : 'none');
    }
    const roles = Array.isArray(claims['roles']) ? claims['roles'].map(String) : [];
    return { kind: 'accepted', bearer: { appId: String(claims['appid']), roles, claimsChallenge } };
  }

  return {
    issue,
    check,
    keySet: (): { keys: JWK[] } => ({ keys: [publicJwk] }),
    /** Refuses every token issued so far, as after a continuous access evaluation event. */
    revokeIssued: (): void => {
      for (const id of issued.splice(0)) revoked.add(id);
    },
  };
}

const readBearer = (authorization: string | undefined) => /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];

/** The app that a request's token names, without a check of the token. */
export function claimedAppId(authorization: string | undefined): string | null {
  try {
    const { appid } = decodeJwt<{ appid?: unknown }>(readBearer(authorization) ?? '');
    return typeof appid === 'string' ? appid : null;
  } catch {
    return null;
  }
}

function refused(message: string, challenge: 'none' | 'claims' = 'none'): TokenCheck {
  return { kind: 'refused', message, challenge };
}
