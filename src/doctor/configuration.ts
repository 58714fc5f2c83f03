// Checks the environment, and finds what can still be examined if parts of it are wrong.
import { ConfigError, parseConfig, type Config, type Role } from '../config/config.ts';
import type { AlertConfig } from '../config/alerts.ts';
import type { RedisConfig } from '../config/redis.ts';
import type { DirectoryConfig } from '../config/directory.ts';
import type { GraphConfig, ProxyConfig } from '../config/graph.ts';
import { environmentSchema } from '../config/environment.ts';
import { readGiven } from '../config/variables.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The processes this environment is for. */
export type Scope = Role | 'both';

export type ExaminedConfiguration = {
  findings: Finding[];
  /** Null if the environment does not configure it. */
  redis: RedisConfig | null;
  graph: GraphConfig | null;
  directory: DirectoryConfig | null;
  /** Null without an address, undefined if its variables are malformed. */
  alerts: AlertConfig | null | undefined;
  proxy: ProxyConfig | null;
};

/** A placeholder in a valid format, for parsing Redis's settings, which need no key. */
const ANY_GROUP_KEY = Buffer.alloc(32).toString('base64');

export function examineConfiguration(env: Environment, scope: Scope, extraCertificates: number): ExaminedConfiguration {
  const roles: Role[] = scope === 'both' ? ['api', 'worker'] : [scope];
  const faults = [...new Set(roles.flatMap((role) => faultsOf(env, role)))];
  const malformed = malformedIn(env);
  const usable = Object.fromEntries(Object.entries(env).filter(([name]) => !malformed.includes(name)));
  const spoilt = (names: RegExp) => malformed.some((name) => names.test(name));
  const any = tryParse({ ...usable, DEVICE_GROUP_KEYS: ANY_GROUP_KEY }, 'api');
  const redis = any?.redis ?? null;
  const worker = tryParse(usable, 'worker');
  return {
    findings: [judgeFaults(faults), judgeOperatorToken(env, scope), judgeCertificates(env, extraCertificates)].flat(),
    redis: spoilt(/^(REDIS_|DATA_DIR)/) ? null : redis,
    graph: spoilt(/^(AZURE_|GRAPH_|ATTEMPT_)/) ? null : (worker?.graph ?? null),
    directory: spoilt(/^(AZURE_|GRAPH_|ATTEMPT_|DEVICE_DIRECTORY|DIRECTORY_)/) ? null : (worker?.directory ?? null),
    alerts: spoilt(/^(ALERT_|PUBLIC_)/) ? undefined : any?.alerts,
    proxy: any?.graph.proxy ?? null,
  };
}

function judgeFaults(faults: string[]): Finding {
  if (faults.length === 0) return ok('configuration', 'every variable that is set is well-formed, none is missing');
  return failed('configuration', faults.join('; '), 'Correct these variables; docs/configuration.md describes each.');
}

function judgeOperatorToken(env: Environment, scope: Scope): Finding[] {
  if (scope === 'worker') return [];
  if ((env['OPERATOR_TOKEN'] ?? '') !== '') return [ok('operator-token', 'is set')];
  return [
    warning(
      'operator-token',
      'OPERATOR_TOKEN is not set: status, dead letters, replay and the dashboard do not exist',
      'Set it to at least 32 characters, e.g. of openssl rand -hex 32.',
    ),
  ];
}

/** Node continues without certificates it could not read; both our processes refuse to start. */
function judgeCertificates(env: Environment, loaded: number): Finding[] {
  if ((env['NODE_EXTRA_CA_CERTS'] ?? '') === '') return [];
  if (loaded > 0) return [ok('certificates', `NODE_EXTRA_CA_CERTS holds ${loaded}`)];
  return [
    failed(
      'certificates',
      'NODE_EXTRA_CA_CERTS names no file with certificates that could be read at the start',
      'Name a readable PEM file, or unset it.',
    ),
  ];
}

function faultsOf(env: Environment, role: Role): readonly string[] {
  try {
    parseConfig(env, role);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

function tryParse(env: Environment, role: Role): Config | null {
  try {
    return parseConfig(env, role);
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

function malformedIn(env: Environment): string[] {
  const parsed = environmentSchema.safeParse(readGiven(env).variables);
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => String(path[0]));
}
