// Environment → Config, once: every fault reported together, by name, never by value.
import type { Policy } from './domain/retry.ts';
import { environmentSchema, HOUR_MS, type Address, type Environment, type LogLevel } from './environment.ts';
import type { Secret } from './secret.ts';

/** What a process is for decides what it cannot do without. */
export type Role = 'api' | 'worker';

export type RedisConfig = (
  | { kind: 'embedded'; directory: string }
  | { kind: 'single'; url: Secret }
  | { kind: 'sentinel'; sentinels: Address[]; name: string }
  | { kind: 'cluster'; nodes: Address[] }
) & { prefix: string };

export type CredentialConfig =
  | { kind: 'secret'; tenantId: string; clientId: string; secret: Secret }
  /** Read again for each new token: rotating it needs no restart. */
  | { kind: 'secret-file'; tenantId: string; clientId: string; secretPath: string }
  | { kind: 'certificate'; tenantId: string; clientId: string; certificatePath: string }
  | { kind: 'federated'; tenantId: string; clientId: string; tokenFilePath: string }
  | { kind: 'managed-identity'; clientId: string | null };

export type GraphConfig = {
  /** Ends in the version segment, without a slash: `https://graph.microsoft.com/beta`. */
  baseUrl: string;
  scope: string;
  authorityHost: string;
  /** Off for an authority that is none of the public clouds'. */
  instanceDiscovery: boolean;
  /** Null where this process was given none. */
  credential: CredentialConfig | null;
  attemptTimeoutMs: number;
};

export type Config = {
  http: { host: string; port: number; maxBodyBytes: number; groupKeys: Secret[]; operatorToken: Secret | null };
  worker: { host: string; port: number; concurrency: number };
  redis: RedisConfig;
  graph: GraphConfig;
  delivery: {
    writesPer20s: number;
    holdProbeMs: number;
    dedupeWindowMs: number;
    policy: Policy;
  };
  shutdownGraceMs: number;
  logLevel: LogLevel;
};

/** sysexits.h EX_CONFIG */
export const EXIT_CONFIG = 78;

/** Everything that is wrong with the environment, by variable. */
export class ConfigError extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`the configuration is not usable: ${faults.join('; ')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

const CLOUDS = {
  global: { root: 'https://graph.microsoft.com', authority: 'https://login.microsoftonline.com' },
  usgov: { root: 'https://graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
  usgovdod: { root: 'https://dod-graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
  china: { root: 'https://microsoftgraph.chinacloudapi.cn', authority: 'https://login.chinacloudapi.cn' },
} as const;

/** Authorities MSAL knows the endpoints of; any other has no instance discovery. */
const PUBLIC_AUTHORITIES = [
  'login.microsoftonline.com',
  'login.microsoftonline.us',
  'login.chinacloudapi.cn',
  'login.partner.microsoftonline.cn',
];

/** Of one delivery's own retries, and of throttling without Retry-After. */
const BACKOFF = { baseMs: 2000, capMs: 300_000 };

/**
 * Reads the environment a process was given. Empty variables count as unset.
 * @throws ConfigError naming every variable that is missing or malformed for this role
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>, role: Role): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environmentSchema.safeParse(given);
  const malformed = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  const faults = [...new Set(malformed), ...missing(given, role)];
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(toConfig(parsed.data));
}

function missing(env: Record<string, unknown>, role: Role): string[] {
  const faults: string[] = [];
  const topologies = ['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'].filter((name) => name in env);
  if (topologies.length > 1) faults.push(`${topologies.join(' and ')} exclude each other`);
  if ('REDIS_SENTINELS' in env && !('REDIS_SENTINEL_NAME' in env))
    faults.push('REDIS_SENTINEL_NAME is required with REDIS_SENTINELS');
  if ('REDIS_SENTINEL_NAME' in env && !('REDIS_SENTINELS' in env))
    faults.push('REDIS_SENTINELS is required with REDIS_SENTINEL_NAME');
  if (role === 'api' && !('DEVICE_GROUP_KEYS' in env)) faults.push('DEVICE_GROUP_KEYS is required');
  if (role === 'worker') faults.push(...missingCredential(env));
  return faults;
}

const APP_CREDENTIALS = [
  'AZURE_CLIENT_SECRET',
  'AZURE_CLIENT_SECRET_FILE',
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_FEDERATED_TOKEN_FILE',
];

function missingCredential(env: Record<string, unknown>): string[] {
  const app = APP_CREDENTIALS.some((name) => name in env);
  if (app)
    return ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID'].filter((name) => !(name in env)).map((name) => `${name} is required`);
  if ('IDENTITY_ENDPOINT' in env) return [];
  return [`one of ${APP_CREDENTIALS.join(', ')} or a managed identity (IDENTITY_ENDPOINT) is required`];
}

function toConfig(env: Environment): Config {
  return {
    http: {
      host: env.HOST,
      port: env.PORT,
      maxBodyBytes: env.MAX_BODY_BYTES,
      groupKeys: env.DEVICE_GROUP_KEYS ?? [],
      operatorToken: env.OPERATOR_TOKEN ?? null,
    },
    worker: { host: env.HOST, port: env.WORKER_PORT, concurrency: env.WORKER_CONCURRENCY },
    redis: { ...toTopology(env), prefix: env.REDIS_PREFIX },
    graph: toGraph(env),
    delivery: {
      writesPer20s: env.GRAPH_WRITES_PER_20S,
      holdProbeMs: env.HOLD_PROBE_MS,
      dedupeWindowMs: Math.ceil(env.DEDUPE_WINDOW_H * HOUR_MS),
      policy: {
        maxAgeMs: env.DELIVERY_MAX_AGE_H * HOUR_MS,
        lookAfterMs: env.UNCERTAIN_LOOK_AFTER_MS,
        attemptTimeoutMs: env.ATTEMPT_TIMEOUT_MS,
        backoff: BACKOFF,
      },
    },
    shutdownGraceMs: env.SHUTDOWN_GRACE_MS,
    logLevel: env.LOG_LEVEL,
  };
}

function toTopology(env: Environment) {
  if (env.REDIS_URL) return { kind: 'single' as const, url: env.REDIS_URL };
  if (env.REDIS_CLUSTER) return { kind: 'cluster' as const, nodes: env.REDIS_CLUSTER };
  if (env.REDIS_SENTINELS) {
    return { kind: 'sentinel' as const, sentinels: env.REDIS_SENTINELS, name: env.REDIS_SENTINEL_NAME ?? '' };
  }
  return { kind: 'embedded' as const, directory: env.DATA_DIR };
}

function toGraph(env: Environment): GraphConfig {
  const cloud = CLOUDS[env.GRAPH_CLOUD];
  const authorityHost = env.AZURE_AUTHORITY_HOST ?? cloud.authority;
  return {
    baseUrl: env.GRAPH_BASE_URL ?? `${cloud.root}/beta`,
    scope: `${cloud.root}/.default`,
    authorityHost,
    instanceDiscovery: PUBLIC_AUTHORITIES.includes(new URL(authorityHost).hostname),
    credential: toCredential(env),
    attemptTimeoutMs: env.ATTEMPT_TIMEOUT_MS,
  };
}

function toCredential(env: Environment): CredentialConfig | null {
  const { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId } = env;
  if (tenantId !== undefined && clientId !== undefined) {
    if (env.AZURE_CLIENT_SECRET) return { kind: 'secret', tenantId, clientId, secret: env.AZURE_CLIENT_SECRET };
    const secretPath = env.AZURE_CLIENT_SECRET_FILE;
    if (secretPath !== undefined) return { kind: 'secret-file', tenantId, clientId, secretPath };
    const certificatePath = env.AZURE_CLIENT_CERTIFICATE_PATH;
    if (certificatePath !== undefined) return { kind: 'certificate', tenantId, clientId, certificatePath };
    const tokenFilePath = env.AZURE_FEDERATED_TOKEN_FILE;
    if (tokenFilePath !== undefined) return { kind: 'federated', tenantId, clientId, tokenFilePath };
  }
  return env.IDENTITY_ENDPOINT === undefined ? null : { kind: 'managed-identity', clientId: clientId ?? null };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
