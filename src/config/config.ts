// Environment → Config, once: all faults reported together, by name, never by value.
import type { BacklogLimits } from '../domain/operations/backlog.ts';
import type { Priority } from '../domain/priority.ts';
import type { Policy } from '../domain/attempt/retry-policy.ts';
import { contradictingAlerts, toAlerts, type AlertConfig } from './alerts.ts';
import { missingDirectoryCredential, toDirectory, type DirectoryConfig } from './directory.ts';
import { missingCredential, toGraph, type GraphConfig } from './graph.ts';
import { environmentSchema, HOUR_MS, type Environment, type LogLevel } from './environment.ts';
import { readGiven, type Variables } from './variables.ts';
import { missingIdentity, missingTls, toIdentity, type IdentityConfig } from './identity.ts';
import { missingRedis, toRedis, type RedisConfig } from './redis.ts';
import type { Secret } from './secret.ts';

/** The purpose of a process, which decides which variables it requires. */
export type Role = 'api' | 'worker';

export type Config = {
  http: {
    host: string;
    port: number;
    /** Prefix of all public paths; empty for none. */
    basePath: string;
    maxBodyBytes: number;
    maxBatchBytes: number;
    maxRequestsInFlight: number;
    /** How many API processes share the port. */
    processes: number;
    /** 0 for no limit. */
    deviceRatePerMin: number;
    groupKeys: Secret[];
    operatorToken: Secret | null;
  };
  identity: IdentityConfig;
  /** The tenants of this file are served instead of the environment's one; null: there is none. */
  tenantsFile: string | null;
  /** For whom Entra tokens must be issued, whatever the tenant. */
  entraAudiences: readonly string[];
  backlog: BacklogLimits;
  worker: { host: string; port: number; concurrency: number };
  redis: RedisConfig;
  /** Base64 of 32 bytes each: the first seals data in Redis, all open it. Without keys Redis holds plain text. */
  payloadKeys: Secret[];
  graph: GraphConfig;
  /** Null: the Entra device directory vouches for nobody. */
  directory: DirectoryConfig | null;
  delivery: {
    writesPer20s: number;
    holdProbeMs: number;
    dedupeWindowMs: number;
    /** Not less than the window: nothing is compacted. */
    deliveredKeptMs: number;
    priority: Priority;
    supersede: boolean;
    policy: Policy;
  };
  /** Null: no operator is told by webhook. */
  alerts: AlertConfig | null;
  /** For the listeners of both processes. */
  keepAliveTimeoutMs: number;
  drainMs: number;
  shutdownGraceMs: number;
  logLevel: LogLevel;
  /** Variables with our names that were set by something else for another purpose. */
  ignored: string[];
  /** Variables that are set and describe one tenant, where a tenants file describes all. */
  unused: string[];
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

/** What an entry of the tenants file says instead. */
const OF_ONE_TENANT =
  /^(AZURE_|DIRECTORY_|DEVICE_(GROUP_KEYS|CA_FILE|ID_FROM_CERT|DIRECTORY)|INTUNE_TENANT_ID$|GRAPH_(CLOUD|BASE_URL)$)/;

/** For retries of a single delivery, and for throttling without Retry-After. */
const BACKOFF = { baseMs: 1000, capMs: 300_000 };

/**
 * Reads the environment a process was given. Empty variables count as unset.
 * @throws ConfigError naming every variable that is missing or malformed for this role
 */
export function parseConfig(env: Variables, role: Role): Config {
  const { variables: given, ignored } = readGiven(env);
  const parsed = environmentSchema.safeParse(given);
  const malformed = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  const faults = [
    ...new Set(malformed),
    ...missing(given, role),
    ...(parsed.success ? contradicting(parsed.data) : []),
  ];
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults);
  return deepFreeze({
    ...toConfig(parsed.data),
    ignored: ignored.filter((name) => name in environmentSchema.shape),
    unused:
      parsed.data.TENANTS_FILE === undefined
        ? []
        : Object.keys(environmentSchema.shape).filter((name) => name in given && OF_ONE_TENANT.test(name)),
  });
}

function contradicting(env: Environment): string[] {
  const { DRAIN_MS: drainMs, SHUTDOWN_GRACE_MS: graceMs } = env;
  const isLong = drainMs > 0 && drainMs >= graceMs;
  return [
    ...(isLong ? ['DRAIN_MS must be less than SHUTDOWN_GRACE_MS, which counts it'] : []),
    ...contradictingAlerts(env),
  ];
}

function missing(env: Record<string, unknown>, role: Role): string[] {
  const faults = missingRedis(env);
  // Each tenant in the file has its own.
  if ('TENANTS_FILE' in env) return [...faults, ...missingTls(env)];
  if (role === 'api') faults.push(...missingIdentity(env));
  if (role === 'worker') faults.push(...missingCredential(env), ...missingDirectoryCredential(env));
  return faults;
}

function toConfig(env: Environment): Omit<Config, 'ignored' | 'unused'> {
  return {
    http: {
      host: env.HOST,
      port: env.PORT,
      basePath: env.PUBLIC_BASE_PATH ?? '',
      maxBodyBytes: env.MAX_BODY_BYTES,
      maxBatchBytes: env.MAX_BATCH_BYTES,
      maxRequestsInFlight: env.MAX_REQUESTS_IN_FLIGHT,
      processes: env.API_PROCESSES,
      deviceRatePerMin: env.DEVICE_RATE_PER_MIN,
      groupKeys: env.DEVICE_GROUP_KEYS ?? [],
      operatorToken: env.OPERATOR_TOKEN ?? null,
    },
    identity: toIdentity(env, toGraph(env).authorityHost),
    tenantsFile: env.TENANTS_FILE ?? null,
    entraAudiences: env.ENTRA_AUDIENCE ?? [],
    backlog: {
      maxBytes: env.MAX_BACKLOG_BYTES ?? null,
      maxAgeMs: env.MAX_BACKLOG_AGE_H === undefined ? null : env.MAX_BACKLOG_AGE_H * HOUR_MS,
    },
    worker: { host: env.HOST, port: env.WORKER_PORT, concurrency: env.WORKER_CONCURRENCY },
    redis: toRedis(env),
    payloadKeys: env.PAYLOAD_KEYS ?? [],
    graph: toGraph(env),
    directory: toDirectory(env),
    delivery: {
      writesPer20s: env.GRAPH_WRITES_PER_20S,
      holdProbeMs: env.HOLD_PROBE_MS,
      dedupeWindowMs: Math.ceil(env.DEDUPE_WINDOW_H * HOUR_MS),
      deliveredKeptMs: Math.ceil(env.DELIVERED_KEPT_H * HOUR_MS),
      priority: env.PRIORITY,
      supersede: env.SUPERSEDE === 'on',
      policy: {
        maxAgeMs: env.DELIVERY_MAX_AGE_H * HOUR_MS,
        lookAfterMs: env.UNCERTAIN_LOOK_AFTER_MS,
        attemptTimeoutMs: env.ATTEMPT_TIMEOUT_MS,
        backoff: BACKOFF,
      },
    },
    alerts: toAlerts(env),
    keepAliveTimeoutMs: env.KEEP_ALIVE_TIMEOUT_MS,
    drainMs: env.DRAIN_MS,
    shutdownGraceMs: env.SHUTDOWN_GRACE_MS,
    logLevel: env.LOG_LEVEL,
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
