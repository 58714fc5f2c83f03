// A tenant's signing key URL and its issuers.
import type { EntraTenant } from '../../../config/identity.ts';

/**
 * Authorities whose issuer differs from their address; any other issues under its own address.
 * Source: Microsoft Learn, “What are the token issuers for the sovereign clouds”.
 */
const SIGN_AS: Record<string, { v1: string; v2: string }> = {
  'https://login.microsoftonline.com': {
    v1: 'https://sts.windows.net',
    v2: 'https://login.microsoftonline.com',
  },
  'https://login.microsoftonline.us': {
    v1: 'https://sts.windows.net',
    v2: 'https://login.microsoftonline.us',
  },
  'https://login.chinacloudapi.cn': {
    v1: 'https://sts.chinacloudapi.cn',
    v2: 'https://login.partner.microsoftonline.cn',
  },
  'https://login.partner.microsoftonline.cn': {
    v1: 'https://sts.chinacloudapi.cn',
    v2: 'https://login.partner.microsoftonline.cn',
  },
};

export function signingKeysUrl({ authorityHost, tenantId }: EntraTenant): URL {
  return new URL(`${authorityHost}/${tenantId}/discovery/v2.0/keys`);
}

/** There are two token versions; the app registration chooses one. */
export function toIssuers({ authorityHost, tenantId }: EntraTenant): string[] {
  const { v1, v2 } = SIGN_AS[authorityHost] ?? { v1: 'https://sts.windows.net', v2: authorityHost };
  return [`${v1}/${tenantId}/`, `${v2}/${tenantId}/v2.0`];
}
