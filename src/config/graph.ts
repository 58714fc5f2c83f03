// Graph's address, the cloud, and the credential from the environment.
import type { Environment } from './environment.ts';
import type { Secret } from './secret.ts';

export type CredentialConfig =
  | { kind: 'secret'; tenantId: string; clientId: string; secret: Secret }
  /** Re-read for each new token, so rotation needs no restart. */
  | { kind: 'secret-file'; tenantId: string; clientId: string; secretPath: string }
  | {
      kind: 'certificate';
      tenantId: string;
      clientId: string;
      certificatePath: string;
      /** The variable that names the file, for errors; absent for AZURE_CLIENT_CERTIFICATE_PATH. */
      certificateVariable?: string;
      password: Secret | null;
    }
  | { kind: 'federated'; tenantId: string; clientId: string; tokenFilePath: string }
  | { kind: 'managed-identity'; clientId: string | null };

/** A proxy for outgoing requests, and the hosts that are reached directly. */
export type ProxyConfig = { url: Secret; exempt: string[] };

export type GraphConfig = {
  /** Ends in the version segment, without a slash: `https://graph.microsoft.com/beta`. */
  baseUrl: string;
  scope: string;
  authorityHost: string;
  /** Off for authorities outside the public clouds. */
  instanceDiscovery: boolean;
  /** Null if none is configured for this process. */
  credential: CredentialConfig | null;
  attemptTimeoutMs: number;
  /** Null if Graph and the token endpoint are reached directly. */
  proxy: ProxyConfig | null;
};

export const CLOUDS = {
  global: { root: 'https://graph.microsoft.com', authority: 'https://login.microsoftonline.com' },
  usgov: { root: 'https://graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
  usgovdod: { root: 'https://dod-graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
  china: { root: 'https://microsoftgraph.chinacloudapi.cn', authority: 'https://login.chinacloudapi.cn' },
} as const;

/** Authorities whose endpoints MSAL knows; others do not support instance discovery. */
const PUBLIC_AUTHORITIES = [
  'login.microsoftonline.com',
  'login.microsoftonline.us',
  'login.chinacloudapi.cn',
  'login.partner.microsoftonline.cn',
];

export const isPublicAuthority = (authorityHost: string): boolean =>
  PUBLIC_AUTHORITIES.includes(new URL(authorityHost).hostname);

const APP_CREDENTIALS = [
  'AZURE_CLIENT_SECRET',
  'AZURE_CLIENT_SECRET_FILE',
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_FEDERATED_TOKEN_FILE',
];

/** The variables that are missing for any kind of credential. */
export function missingCredential(env: Record<string, unknown>): string[] {
  const app = APP_CREDENTIALS.some((name) => name in env);
  if (app)
    return ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID'].filter((name) => !(name in env)).map((name) => `${name} is required`);
  if ('IDENTITY_ENDPOINT' in env) return [];
  return [`one of ${APP_CREDENTIALS.join(', ')} or a managed identity (IDENTITY_ENDPOINT) is required`];
}

export function toGraph(env: Environment): GraphConfig {
  const cloud = CLOUDS[env.GRAPH_CLOUD];
  const authorityHost = env.AZURE_AUTHORITY_HOST ?? cloud.authority;
  return {
    baseUrl: env.GRAPH_BASE_URL ?? `${cloud.root}/beta`,
    scope: `${cloud.root}/.default`,
    authorityHost,
    instanceDiscovery: isPublicAuthority(authorityHost),
    credential: toCredential(env),
    attemptTimeoutMs: env.ATTEMPT_TIMEOUT_MS,
    proxy: env.HTTPS_PROXY === undefined ? null : { url: env.HTTPS_PROXY, exempt: env.NO_PROXY ?? [] },
  };
}

function toCredential(env: Environment): CredentialConfig | null {
  const app = toAppCredential({
    tenantId: env.AZURE_TENANT_ID,
    clientId: env.AZURE_CLIENT_ID,
    secret: env.AZURE_CLIENT_SECRET,
    secretPath: env.AZURE_CLIENT_SECRET_FILE,
    certificatePath: env.AZURE_CLIENT_CERTIFICATE_PATH,
    password: env.AZURE_CLIENT_CERTIFICATE_PASSWORD,
    tokenFilePath: env.AZURE_FEDERATED_TOKEN_FILE,
  });
  if (app) return app;
  return env.IDENTITY_ENDPOINT === undefined
    ? null
    : { kind: 'managed-identity', clientId: env.AZURE_CLIENT_ID ?? null };
}

type GivenApp = Partial<
  Record<'tenantId' | 'clientId' | 'secretPath' | 'certificatePath' | 'tokenFilePath', string | undefined> &
    Record<'secret' | 'password', Secret | undefined>
> & { certificateVariable?: string };

/** The first kind of credential that is given, of an app registration. */
export function toAppCredential({ tenantId, clientId, ...given }: GivenApp): CredentialConfig | null {
  const { secret, secretPath, certificatePath, certificateVariable, tokenFilePath } = given;
  if (tenantId === undefined || clientId === undefined) return null;
  if (secret) return { kind: 'secret', tenantId, clientId, secret };
  if (secretPath !== undefined) return { kind: 'secret-file', tenantId, clientId, secretPath };
  if (certificatePath !== undefined) {
    const password = given.password ?? null;
    const variable = certificateVariable === undefined ? {} : { certificateVariable };
    return { kind: 'certificate', tenantId, clientId, certificatePath, ...variable, password };
  }
  return tokenFilePath === undefined ? null : { kind: 'federated', tenantId, clientId, tokenFilePath };
}

/** Identifies the Graph and tenant in one line: facts about one do not apply to another. */
export function describeSubject({ baseUrl, credential }: Pick<GraphConfig, 'baseUrl' | 'credential'>): string {
  const tenantId = credential === null || credential.kind === 'managed-identity' ? null : credential.tenantId;
  return tenantId === null ? baseUrl : `${baseUrl} ${tenantId.toLowerCase()}`;
}
