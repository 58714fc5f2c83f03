// Checks the token: issued, for the right tenant, with exactly the permissions needed.
import type { GraphConfig } from '../config/graph.ts';
import type { Failure } from '../domain/attempt/failure.ts';
import { REMEDIES } from '../domain/hold/hold.ts';
import { remedyOf } from '../domain/operations/remedy.ts';
import type { Claims, Obtained } from '../graph/inspection/inspect.ts';
import { failed, ok, skipped, warning, type Finding } from './finding.ts';

/** The one application permission that is needed. */
const PERMISSION = 'DeviceManagementConfiguration.ReadWrite.All';
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What the token is judged by. */
export type Expected = Pick<GraphConfig, 'credential'> & {
  /** Permissions that the app needs for something else. */
  alsoNeeded: readonly string[];
};

export function judgeToken(obtained: Obtained, { credential, alsoNeeded }: Expected, now: number): Finding[] {
  if (obtained.kind === 'refused') return [failed('token', obtained.failure.detail, remedyFor(obtained.failure))];
  const took = `obtained in ${Math.round(obtained.tookMs)} ms`;
  const { claims } = obtained;
  if (claims === null) {
    return [ok('token', took), skipped('token-roles', 'the token cannot be read'), skipped('token-tenant', 'the same')];
  }
  const tenantId = credential?.kind === 'managed-identity' ? null : (credential?.tenantId ?? null);
  return [judgeLife(took, claims, now), judgeRoles(claims, alsoNeeded), judgeTenant(claims, tenantId)];
}

/** The remedy if the token endpoint or Graph refuses a request. */
export function remedyFor(failure: Failure): string {
  switch (failure.kind) {
    case 'unauthenticated':
    case 'credential-refused':
    case 'forbidden':
    case 'route-not-served':
      return REMEDIES[failure.kind];
    case 'not-sent':
      return failure.upstream === 'graph' ? REMEDIES['graph-unavailable'] : REMEDIES['token-endpoint-unavailable'];
    case 'uncertain':
    case 'delayed':
    case 'inconclusive':
      return REMEDIES['graph-unavailable'];
    case 'throttled':
      return 'Graph throttles this app and tenant at present. Ask again in a minute; see what else uses the app registration.';
    case 'conflict':
      return remedyOf('graph-409');
    case 'rejected':
      return 'Check GRAPH_BASE_URL and GRAPH_CLOUD, and that the id is one of this tenant’s hardware configurations.';
  }
}

function judgeLife(took: string, { expiresAt }: Claims, now: number): Finding {
  if (expiresAt === null) return ok('token', took);
  const minutes = Math.floor((expiresAt - now) / 60_000);
  if (minutes > 0) return ok('token', `${took}, good for ${minutes} min`);
  return failed(
    'token',
    `${took}, but it has expired already`,
    'The clock here is wrong by more than a token lives; correct it.',
  );
}

function judgeRoles({ roles }: Claims, alsoNeeded: readonly string[]): Finding {
  const check = 'token-roles';
  const needed = [PERMISSION, ...alsoNeeded];
  const others = roles.filter((role) => !needed.includes(role));
  if (!roles.includes(PERMISSION)) {
    const held = roles.length === 0 ? 'no role at all' : roles.join(', ');
    return failed(check, `the token has ${held}, and not ${PERMISSION}`, REMEDIES.forbidden);
  }
  if (others.length === 0) return ok(check, `${roles.join(', ')} and no other`);
  return warning(
    check,
    `the app may do more than it needs: ${others.join(', ')}`,
    `Take away every application permission but ${needed.join(', ')}, or give the bridge an app registration of its own.`,
  );
}

function judgeTenant({ tenantId }: Claims, configured: string | null): Finding {
  const check = 'token-tenant';
  if (tenantId === null) return skipped(check, 'the token names no tenant');
  if (configured === null || !GUID.test(configured)) return ok(check, `the token is of tenant ${tenantId}`);
  if (tenantId.toLowerCase() === configured.toLowerCase()) return ok(check, 'the token is of AZURE_TENANT_ID');
  return failed(check, `the token is of another tenant, ${tenantId}`, 'Correct AZURE_TENANT_ID or the credential.');
}
