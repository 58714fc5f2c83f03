// Holds: why nobody calls Graph, what an operator can do, and when to probe again.

/** A cause that concerns every delivery of a tenant, not one. */
export const HOLD_REASONS = [
  'unauthenticated',
  'forbidden',
  'credential-refused',
  'graph-unavailable',
  'token-endpoint-unavailable',
] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** A hold as it stands. Instants are milliseconds since 1970. */
export type Hold = { reason: HoldReason; since: number; detail: string; probes: number; probeAt: number };

/** What a person can do about each. */
export const REMEDIES: Record<HoldReason, string> = {
  unauthenticated:
    'Graph refuses the token although it is fresh. Check that GRAPH_CLOUD, GRAPH_BASE_URL and the tenant belong together and that this machine’s clock is right.',
  forbidden:
    'Grant the app registration the application permission DeviceManagementConfiguration.ReadWrite.All with admin consent, and see that the tenant has an Intune licence and no Conditional Access policy blocks the app.',
  'credential-refused':
    'The token endpoint refuses the credential. Renew the secret or certificate, or correct AZURE_TENANT_ID and AZURE_CLIENT_ID.',
  'graph-unavailable':
    'Graph cannot be reached or answers with errors. Check network, proxy, DNS and Microsoft’s service health; nothing else is needed.',
  'token-endpoint-unavailable':
    'The token endpoint cannot be reached or answers with errors. Check network, proxy, DNS, AZURE_AUTHORITY_HOST and Microsoft’s service health.',
};

/** So many different deliveries in a row must fail before an outage is believed. */
export const FAILURES_UNTIL_HOLD = 5;
