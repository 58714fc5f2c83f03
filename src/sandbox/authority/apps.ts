// The tenant's two apps: the worker's, and one that is meant to read devices and nothing else.
import type { ClientProofs } from './client-proof.ts';
import type { Identity } from '../state.ts';
import type { Settings } from '../settings.ts';

export type App = { clientId: string; proofs: ClientProofs; roles: readonly string[] };

type Tenant = { identity: Identity; settings: Settings };

/** The app of this client id. Certificates and federated tokens are registered on both; each has secrets of its own. */
export function findApp({ identity, settings }: Tenant, clientId: string): App | undefined {
  const { permission, secrets, certificates, federatedTokens } = settings;
  const { directoryApp } = identity;
  const apps: App[] = [
    { clientId: identity.clientId, proofs: { secrets, certificates, federatedTokens }, roles: settings.roles },
    {
      clientId: directoryApp.clientId,
      proofs: { secrets: [directoryApp.clientSecret], certificates, federatedTokens },
      roles: settings.directoryRoles,
    },
  ];
  const app = apps.find((known) => known.clientId.toLowerCase() === clientId.toLowerCase());
  return app === undefined || permission === 'granted' ? app : { ...app, roles: [] };
}

/** Those of a token's roles that its app still has. */
export function rolesStillGranted(tenant: Tenant, { appId, roles }: { appId: string; roles: readonly string[] }) {
  const granted = findApp(tenant, appId)?.roles ?? [];
  return roles.filter((role) => granted.includes(role));
}
