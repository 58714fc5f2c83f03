// Environment → Config, once: every fault reported together, by name, never by value.
import { z } from 'zod';
import type { Policy } from './domain/retry.ts';

/** What a process is for decides what it cannot do without. */
export type Role = 'api' | 'worker';

/** A secret that shows itself only when asked; logs, JSON and inspection print `[secret]`. */
export type Secret = { reveal: () => string; toString: () => '[secret]'; toJSON: () => '[secret]' };

export type RedisConfig = (
  | { kind: 'embedded'; directory: string }
  | { kind: 'single'; url: Secret }
  | { kind: 'sentinel'; sentinels: Address[]; name: string }
  | { kind: 'cluster'; nodes: Address[] }
) & { prefix: string };

export type Address = { host: string; port: number };

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

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

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

const HOUR_MS = 3_600_000;

/** Of one delivery's own retries, and of throttling without Retry-After. */
const BACKOFF = { baseMs: 2000, capMs: 300_000 };

const whole = (fallback: number, min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((n) => n >= min && n <= max, message)
    .default(fallback);
};
const hours = (fallback: number, max: number) => {
  const message = `must be a number of hours above 0, at most ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}(\.\d{1,9})?$/, message)
    .transform(Number)
    .refine((n) => n > 0 && n <= max, message)
    .default(fallback);
};
const oneOf = <const T extends readonly string[]>(values: T, fallback: T[number]) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` }).default(fallback);
const httpsUrl = z
  .string()
  .refine((text) => URL.canParse(text) && new URL(text).protocol === 'https:', 'must be an https URL')
  .refine((text) => !URL.canParse(text) || !/[?@]/.test(text), 'must have no credentials or query')
  .transform((text) => text.replace(/\/+$/, ''));
const secret = (schema: z.ZodType<string, string>) => schema.transform(toSecret);
const addresses = z
  .string()
  .refine(
    (text) => text.split(',').every((part) => toAddress(part) !== null),
    'must be host:port, several separated by commas',
  )
  .transform((text) => text.split(',').flatMap((part) => toAddress(part) ?? []));
const groupKeys = z
  .string()
  .refine((text) => text.split(',').every(isGroupKey), 'must be base64 keys of 16 to 64 bytes, separated by commas')
  .transform((text) => text.split(',').map((key) => toSecret(key.trim())));

/** One entry per variable of the contract: its name, its form, its default. */
export const environmentSchema = z.object({
  PORT: whole(8080, 0, 65_535),
  HOST: z.string().default('0.0.0.0'),
  WORKER_PORT: whole(8081, 0, 65_535),
  REDIS_URL: secret(z.string().refine(isRedisUrl, 'must be a redis://, rediss:// or unix: address')).optional(),
  REDIS_SENTINELS: addresses.optional(),
  REDIS_SENTINEL_NAME: z.string().optional(),
  REDIS_CLUSTER: addresses.optional(),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, 'must be 1 to 64 of A–Z a–z 0–9 _ . : -')
    .default('runstate'),
  DATA_DIR: z.string().default('./data'),
  DEVICE_GROUP_KEYS: groupKeys.optional(),
  OPERATOR_TOKEN: secret(z.string().regex(/^[!-~]{32,}$/, 'must have at least 32 visible ASCII characters')).optional(),
  AZURE_TENANT_ID: z
    .string()
    .regex(/^[\w.-]{1,256}$/, 'must be a tenant id or domain')
    .optional(),
  AZURE_CLIENT_ID: z
    .string()
    .regex(/^[\w.-]{1,256}$/, 'must be an application (client) id')
    .optional(),
  AZURE_CLIENT_SECRET: secret(z.string()).optional(),
  AZURE_CLIENT_SECRET_FILE: z.string().optional(),
  AZURE_CLIENT_CERTIFICATE_PATH: z.string().optional(),
  AZURE_FEDERATED_TOKEN_FILE: z.string().optional(),
  IDENTITY_ENDPOINT: z.string().optional(),
  AZURE_AUTHORITY_HOST: httpsUrl.optional(),
  GRAPH_CLOUD: oneOf(['global', 'usgov', 'usgovdod', 'china'], 'global'),
  GRAPH_BASE_URL: httpsUrl
    .refine(
      (url) => new URL(url).pathname.length > 1,
      'must end in the version, as in https://graph.microsoft.com/beta',
    )
    .optional(),
  GRAPH_WRITES_PER_20S: whole(100, 1, 1_000_000),
  UNCERTAIN_LOOK_AFTER_MS: whole(5000, 0, HOUR_MS),
  HOLD_PROBE_MS: whole(2000, 1, HOUR_MS),
  WORKER_CONCURRENCY: whole(50, 1, 10_000),
  ATTEMPT_TIMEOUT_MS: whole(30_000, 1, HOUR_MS),
  DELIVERY_MAX_AGE_H: hours(72, 87_600),
  DEDUPE_WINDOW_H: hours(168, 87_600),
  MAX_BODY_BYTES: whole(262_144, 1, 104_857_600),
  SHUTDOWN_GRACE_MS: whole(20_000, 0, HOUR_MS),
  LOG_LEVEL: oneOf(LOG_LEVELS, 'info'),
});

type Environment = z.infer<typeof environmentSchema>;

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

export function toSecret(value: string): Secret {
  const secret = { reveal: () => value, toString: () => '[secret]' as const, toJSON: () => '[secret]' as const };
  return Object.defineProperty(secret, Symbol.for('nodejs.util.inspect.custom'), { value: secret.toString });
}

function isRedisUrl(text: string): boolean {
  if (/^unix:.+/.test(text)) return true;
  return /^rediss?:\/\//.test(text) && URL.canParse(text) && new URL(text).hostname !== '';
}

function toAddress(text: string): Address | null {
  const match = /^\[?([^\s,\]/@]+?)\]?:(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[2]);
  return match?.[1] !== undefined && port > 0 && port <= 65_535 ? { host: match[1], port } : null;
}

/** The group keys in DEVICE_GROUP_KEYS, decoded; none where the variable is missing or malformed. */
export function parseGroupKeys(value: string | undefined): Buffer[] {
  const keys = (value ?? '').split(',');
  return keys.every(isGroupKey) ? keys.map((key) => Buffer.from(key.trim(), 'base64')) : [];
}

function isGroupKey(text: string): boolean {
  const key = text.trim();
  const bytes = Buffer.from(key, 'base64');
  return bytes.toString('base64') === key && bytes.length >= 16 && bytes.length <= 64;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
