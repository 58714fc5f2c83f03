// The environment variables: name, format and default of each.
import { z } from 'zod';
import { DIRECTORY_REQUIREMENTS } from '../domain/directory/judge-device.ts';
import { parseBasePath } from '../domain/submission/base-path.ts';
import { PRIORITIES } from '../domain/priority.ts';
import { alertVariables } from './alerts.ts';
import { identityVariables } from './identity.ts';
import { notBlank, redisVariables, type Address } from './redis.ts';
import { toSecret } from './secret.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const HOUR_MS = 3_600_000;

const wholeOrUnset = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((n) => n >= min && n <= max, message);
};
const whole = (fallback: number, min: number, max: number) => wholeOrUnset(min, max).default(fallback);
const hoursOrUnset = (max: number) => {
  const message = `must be a number of hours above 0, at most ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}(\.\d{1,9})?$/, message)
    .transform(Number)
    .refine((n) => n > 0 && n <= max, message);
};
const hours = (fallback: number, max: number) => hoursOrUnset(max).default(fallback);
const oneOf = <const T extends readonly string[]>(values: T, fallback: T[number]) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` }).default(fallback);
const httpsUrl = z
  .string()
  .refine((text) => URL.canParse(text) && new URL(text).protocol === 'https:', 'must be an https URL')
  .refine((text) => !URL.canParse(text) || !/[?@]/.test(text), 'must have no credentials or query')
  .transform((text) => text.replace(/\/+$/, ''));
/** White space around a secret is removed: files and Kubernetes secrets end with a line end. */
const secret = (schema: z.ZodType<string, string>) =>
  z
    .string()
    .transform((text) => text.trim())
    .pipe(schema)
    .transform(toSecret);
const clientId = z.string().regex(/^[\w.-]{1,256}$/, 'must be an application (client) id');
const clientSecret = secret(z.string().min(1, 'must be more than white space'));
const proxyUrl = z
  .string()
  .transform((text) => (text.includes('://') ? text.trim() : `http://${text.trim()}`))
  .refine(isProxyUrl, 'must be an http:// or https:// address of a proxy')
  .transform(toSecret);
const hostList = z.string().transform((text) => text.split(/[,\s]+/).filter((entry) => entry !== ''));
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
const payloadKeys = z
  .string()
  .refine((text) => text.split(',').every(isPayloadKey), 'must be base64 keys of 32 bytes, separated by commas')
  .transform((text) => text.split(',').map((key) => toSecret(key.trim())));

const MAX_REPLICAS = 5;
const MAX_PROCESSES = 64;

/** One entry per variable of the contract: name, format, default. */
export const environmentSchema = z.object({
  PORT: whole(8080, 0, 65_535),
  HOST: notBlank.default('0.0.0.0'),
  WORKER_PORT: whole(8081, 0, 65_535),
  ...redisVariables,
  REDIS_SENTINELS: addresses.optional(),
  REDIS_SENTINEL_NAME: notBlank.optional(),
  REDIS_CLUSTER: addresses.optional(),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, 'must be 1 to 64 of A–Z a–z 0–9 _ . : -')
    .default('runstate'),
  REDIS_MIN_REPLICAS: whole(0, 0, MAX_REPLICAS),
  DATA_DIR: notBlank.default('./data'),
  PAYLOAD_KEYS: payloadKeys.optional(),
  DEVICE_GROUP_KEYS: groupKeys.optional(),
  ...identityVariables,
  OPERATOR_TOKEN: secret(z.string().regex(/^[!-~]{32,}$/, 'must have at least 32 visible ASCII characters')).optional(),
  AZURE_TENANT_ID: z
    .string()
    .regex(/^[\w.-]{1,256}$/, 'must be a tenant id or domain')
    .optional(),
  AZURE_CLIENT_ID: clientId.optional(),
  AZURE_CLIENT_SECRET: clientSecret.optional(),
  AZURE_CLIENT_SECRET_FILE: z.string().optional(),
  AZURE_CLIENT_CERTIFICATE_PATH: z.string().optional(),
  AZURE_CLIENT_CERTIFICATE_PASSWORD: secret(z.string()).optional(),
  AZURE_FEDERATED_TOKEN_FILE: z.string().optional(),
  IDENTITY_ENDPOINT: z.string().optional(),
  DEVICE_DIRECTORY: z.enum(['entra'], { error: 'must be entra' }).optional(),
  DEVICE_DIRECTORY_REQUIRE: oneOf(DIRECTORY_REQUIREMENTS, 'managed'),
  // A longer one would let disabled devices submit for weeks, and seven times as long while the directory is away.
  DEVICE_DIRECTORY_MAX_AGE_H: hours(24, 168),
  DIRECTORY_CLIENT_ID: clientId.optional(),
  DIRECTORY_CLIENT_SECRET: clientSecret.optional(),
  DIRECTORY_CLIENT_SECRET_FILE: z.string().optional(),
  DIRECTORY_CLIENT_CERTIFICATE_PATH: z.string().optional(),
  DIRECTORY_FEDERATED_TOKEN_FILE: z.string().optional(),
  HTTPS_PROXY: proxyUrl.optional(),
  NO_PROXY: hostList.optional(),
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
  DELIVERED_KEPT_H: hours(24, 87_600),
  PRIORITY: oneOf(PRIORITIES, 'fifo'),
  SUPERSEDE: oneOf(['on', 'off'], 'off'),
  MAX_BODY_BYTES: whole(262_144, 1, 104_857_600),
  MAX_BATCH_BYTES: whole(16_777_216, 1, 104_857_600),
  MAX_REQUESTS_IN_FLIGHT: whole(1000, 1, 1_000_000),
  API_PROCESSES: whole(1, 1, MAX_PROCESSES),
  MAX_BACKLOG_BYTES: wholeOrUnset(1, 100_000_000_000_000).optional(),
  MAX_BACKLOG_AGE_H: hoursOrUnset(87_600).optional(),
  DEVICE_RATE_PER_MIN: whole(60, 0, 1_000_000),
  PUBLIC_BASE_PATH: z
    .string()
    .refine((text) => parseBasePath(text) !== null, 'must be a path such as /bios, of A–Z a–z 0–9 . _ ~ - and slashes')
    .transform((text) => parseBasePath(text) ?? '')
    .optional(),
  ...alertVariables,
  KEEP_ALIVE_TIMEOUT_MS: whole(65_000, 1, 24 * HOUR_MS),
  DRAIN_MS: whole(0, 0, HOUR_MS),
  SHUTDOWN_GRACE_MS: whole(20_000, 0, 2 * HOUR_MS),
  LOG_LEVEL: oneOf(LOG_LEVELS, 'info'),
  TENANTS_FILE: z.string().optional(),
});

export type Environment = z.infer<typeof environmentSchema>;

function isProxyUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text) && new URL(text).hostname !== '';
}

function toAddress(text: string): Address | null {
  const match = /^\[?([^\s,\]/@]+?)\]?:(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[2]);
  return match?.[1] !== undefined && port > 0 && port <= 65_535 ? { host: match[1], port } : null;
}

/** The decoded group keys in DEVICE_GROUP_KEYS; none if the variable is missing or malformed. */
export function parseGroupKeys(value: string | undefined): Buffer[] {
  const keys = (value ?? '').split(',');
  return keys.every(isGroupKey) ? keys.map((key) => Buffer.from(key.trim(), 'base64')) : [];
}

export const isGroupKey = (text: string): boolean => isKey(text, 16, 64);
const isPayloadKey = (text: string) => isKey(text, 32, 32);

function isKey(text: string, leastBytes: number, mostBytes: number): boolean {
  const key = text.trim();
  const bytes = Buffer.from(key, 'base64');
  return bytes.toString('base64') === key && bytes.length >= leastBytes && bytes.length <= mostBytes;
}
