// Verifies Entra tokens for the tenant that issued them; a token that none of ours issued is good for nothing.
import { decodeJwt } from 'jose';
import type { TokenProof } from './token.ts';
import type { TenantIdentity } from '../tenant-identity.ts';

/** Several tenants here may be one in Entra: an operator's token is good for all of them, a relay's for none. */
export type TenantsTokenProof = TokenProof & { tenantIds: readonly string[] };

export type VerifyTenantsToken = (token: string) => Promise<TenantsTokenProof>;

export function createVerifyTenantsToken(tenants: () => readonly TenantIdentity[]): VerifyTenantsToken {
  return async (token) => {
    const issuer = readTenantId(token);
    const issuers = tenants().filter(({ entra }) => entra !== null && entra.tenantId === issuer);
    const tenantIds = issuers.map(({ id }) => id);
    const entra = issuers[0]?.entra ?? tenants().find((tenant) => tenant.entra)?.entra;
    // A token of nobody's is verified by any, which says what is wrong with it.
    if (!entra) return { kind: 'bad', reason: 'no tenant accepts tokens', tenantIds };
    return { ...(await entra.verify(token)), tenantIds };
  };
}

/** Not verified yet. */
function readTenantId(token: string): unknown {
  try {
    return decodeJwt(token)['tid'];
  } catch {
    return null;
  }
}
