// How Redis is reached: address, database and credentials.
import { z } from 'zod';
import { toSecret, type Secret } from './secret.ts';
import { readSettingFile } from './setting-file.ts';

export type Address = { host: string; port: number };

/** The credentials for data nodes and sentinels, and whether to use TLS; parts of a URL take precedence. */
export type RedisAccess = { username: string | null; password: RedisPassword | null; tls: boolean };

/** A file is re-read for each new connection, so rotation needs no restart. */
export type RedisPassword = { kind: 'given'; value: Secret } | { kind: 'file'; path: string };

export type RedisConfig = (
  | { kind: 'embedded'; directory: string }
  | { kind: 'single'; url: Secret }
  | { kind: 'sentinel'; sentinels: Address[]; name: string }
  | { kind: 'cluster'; nodes: Address[] }
) & {
  prefix: string;
  access?: RedisAccess;
  /** How many replicas must have a write before it counts; none without it. */
  minReplicas?: number;
};

/** The parts of `REDIS_URL`. */
export type RedisAddress = {
  server: { path: string } | { host: string; port: number };
  username: string | null;
  password: string | null;
  tls: boolean;
  db: number;
  /** 4 or 6: names are resolved only to addresses of this family. */
  family: number | null;
};

const DEFAULT_PORT = 6379;
export const notBlank = z.string().refine((text) => text.trim() !== '', 'must not be blank');

export const redisVariables = {
  REDIS_URL: z
    .string()
    .superRefine((text, context) => {
      const address = parseRedisUrl(text);
      if (typeof address === 'string') context.addIssue({ code: 'custom', message: address });
    })
    .transform(toSecret)
    .optional(),
  REDIS_USERNAME: notBlank.optional(),
  REDIS_PASSWORD: notBlank.transform((text) => toSecret(text.trim())).optional(),
  REDIS_PASSWORD_FILE: z
    .string()
    .refine(holdsPassword, 'must name a regular file that can be read, is not blank and has at most 1 MiB')
    .optional(),
  REDIS_TLS: z.enum(['on', 'off'], { error: 'must be one of on, off' }).default('off'),
};

type RedisEnvironment = z.infer<z.ZodObject<typeof redisVariables>> & {
  REDIS_SENTINELS?: Address[] | undefined;
  REDIS_SENTINEL_NAME?: string | undefined;
  REDIS_CLUSTER?: Address[] | undefined;
  REDIS_PREFIX: string;
  REDIS_MIN_REPLICAS: number;
  DATA_DIR: string;
};

/** Redis variables that are missing or contradict each other. */
export function missingRedis(env: Record<string, unknown>): string[] {
  const faults: string[] = [];
  const topologies = ['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'].filter((name) => name in env);
  if (topologies.length > 1) faults.push(`${topologies.join(' and ')} exclude each other`);
  if ('REDIS_SENTINELS' in env && !('REDIS_SENTINEL_NAME' in env))
    faults.push('REDIS_SENTINEL_NAME is required with REDIS_SENTINELS');
  if ('REDIS_SENTINEL_NAME' in env && !('REDIS_SENTINELS' in env))
    faults.push('REDIS_SENTINELS is required with REDIS_SENTINEL_NAME');
  if ('REDIS_PASSWORD' in env && 'REDIS_PASSWORD_FILE' in env)
    faults.push('REDIS_PASSWORD and REDIS_PASSWORD_FILE exclude each other');
  const { REDIS_MIN_REPLICAS: replicas = '0' } = env;
  if (topologies.length === 0 && typeof replicas === 'string' && Number(replicas) > 0)
    faults.push('REDIS_MIN_REPLICAS needs a Redis with replicas: REDIS_URL, REDIS_SENTINELS or REDIS_CLUSTER');
  return faults;
}

export function toRedis(env: RedisEnvironment): RedisConfig {
  return { ...toTopology(env), prefix: env.REDIS_PREFIX, access: toAccess(env), minReplicas: env.REDIS_MIN_REPLICAS };
}

function toTopology(env: RedisEnvironment) {
  if (env.REDIS_URL) return { kind: 'single' as const, url: env.REDIS_URL };
  if (env.REDIS_CLUSTER) return { kind: 'cluster' as const, nodes: env.REDIS_CLUSTER };
  if (env.REDIS_SENTINELS) {
    return { kind: 'sentinel' as const, sentinels: env.REDIS_SENTINELS, name: env.REDIS_SENTINEL_NAME ?? '' };
  }
  return { kind: 'embedded' as const, directory: env.DATA_DIR };
}

function toAccess(env: RedisEnvironment): RedisAccess {
  const { REDIS_PASSWORD: value, REDIS_PASSWORD_FILE: path } = env;
  const given = value ? ({ kind: 'given', value } as const) : null;
  return {
    username: env.REDIS_USERNAME ?? null,
    password: path === undefined ? given : { kind: 'file', path },
    tls: env.REDIS_TLS === 'on',
  };
}

/** @throws Error if its file cannot be read */
export function readPassword(password: RedisPassword): string {
  return password.kind === 'given' ? password.value.reveal() : readSettingFile(password.path).trim();
}

function holdsPassword(path: string): boolean {
  try {
    return readPassword({ kind: 'file', path }) !== '';
  } catch {
    return false;
  }
}

/** @returns the address, or what is wrong with it, in words that reveal nothing of its content */
export function parseRedisUrl(text: string): RedisAddress | string {
  try {
    return text.startsWith('unix:') ? parseUnixAddress(text) : parseNetworkAddress(text);
  } catch (error) {
    return error instanceof Unusable ? error.message : 'must write %25 for a percent sign';
  }
}

class Unusable extends Error {}

function parseNetworkAddress(text: string): RedisAddress {
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) {
    throw new Unusable('must be a redis://, rediss:// or unix: address');
  }
  const url = new URL(text);
  if (url.hostname === '') throw new Unusable('must be a redis://, rediss:// or unix: address');
  if (text.includes('#')) throw new Unusable('must have no #: write %23 where it is part of a password');
  if (url.port === '0') throw new Unusable('must have a port from 1 to 65535');
  const path = /^(?:\/([^/]*)\/?)?$/.exec(url.pathname);
  if (!path) throw new Unusable('must have nothing but the number of a database behind its first slash');
  const family = url.searchParams.get('family');
  return {
    // Brackets are URL syntax, not part of the host.
    server: {
      host: decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    },
    username: decodeURIComponent(url.username) || null,
    password: decodeURIComponent(url.password) || null,
    tls: url.protocol === 'rediss:',
    db: toDatabase(path[1] || url.searchParams.get('db')),
    family: family === '4' || family === '6' ? Number(family) : null,
  };
}

/** `unix:/path`, `unix:///path` or `unix://user:password@/path`, each optionally with `?db=2`. */
function parseUnixAddress(text: string): RedisAddress {
  const [, , access = '', path = '', query = ''] =
    /^unix:(\/\/(?:([^@/]*)@(?=\/))?)?([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  if (path === '') throw new Unusable('must be a redis://, rediss:// or unix: address');
  const [username = '', ...password] = access.split(':');
  return {
    server: { path },
    username: decodeURIComponent(username) || null,
    password: decodeURIComponent(password.join(':')) || null,
    tls: false,
    db: toDatabase(new URLSearchParams(query).get('db')),
    family: null,
  };
}

function toDatabase(text: string | null): number {
  if (text === null || text === '') return 0;
  if (!/^\d{1,9}$/.test(text)) throw new Unusable('must name its database by a number');
  return Number(text);
}
