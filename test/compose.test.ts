// Compose: every variable that is set in the file reaches the processes that read it, and secrets no others.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { environmentSchema } from '../src/environment.ts';

type Service = {
  env_file: { path: string; required: boolean }[];
  environment: Record<string, string>;
  ports?: string[];
};

const { services } = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as {
  services: Record<'api' | 'worker', Service>;
};
const NAMES = Object.keys(environmentSchema.shape);
const marked = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, `marked-${name}`]));

/** What stays with the other process. */
const NOT_FOR = {
  api: NAMES.filter((name) => /^AZURE_(CLIENT_SECRET|CLIENT_CERTIFICATE|FEDERATED)/.test(name)),
  worker: ['DEVICE_GROUP_KEYS', 'OPERATOR_TOKEN'],
};

/** `${NAME}`, `${NAME:-where it is unset or empty}` and `${NAME-where it is unset}`, as every Compose knows them. */
function interpolate(text: string, file: Record<string, string>): string {
  return text.replaceAll(/\$\{(\w+)(?:(:?-)([^}]*))?\}/g, (_all, name: string, how?: string, otherwise?: string) => {
    const value = file[name];
    return value === undefined || (how === ':-' && value === '') ? (otherwise ?? '') : value;
  });
}

/** A service's environment, given the file that both Compose and the service read. */
function environmentOf(
  { env_file, environment }: Service,
  files: Record<string, Record<string, string>>,
  name = '.env',
) {
  const interpolated = files[name] ?? {};
  const given = env_file.map(({ path }) => files[interpolate(path, interpolated)] ?? {});
  const own = Object.entries(environment).map(([variable, value]) => [variable, interpolate(value, interpolated)]);
  return Object.assign({}, ...given, Object.fromEntries(own)) as Record<string, string>;
}

test.each(['api', 'worker'] as const)('%s · gets every variable of .env · but the other one’s secrets', (name) => {
  const environment = environmentOf(services[name], { '.env': marked(NAMES) });
  const reaching = NAMES.filter((variable) => !NOT_FOR[name].includes(variable));
  expect(environment).toMatchObject(marked(reaching));
  // An empty variable counts as unset.
  for (const variable of NOT_FOR[name]) expect(environment[variable]).toBe('');
});

test.each(['api', 'worker'] as const)('%s · without a file · comes up with the defaults', (name) => {
  expect(services[name].env_file).toEqual([{ path: '${ENV_FILE:-.env}', required: false }]);
  const given = Object.entries(environmentOf(services[name], {})).filter(([, value]) => value !== '');
  const { REDIS_URL, ...others } = Object.fromEntries(given);
  expect(REDIS_URL).toBe('redis://redis:6379');
  const defaults = environmentSchema.parse({}) as Record<string, unknown>;
  for (const [variable, value] of Object.entries(others))
    expect([variable, value]).toEqual([variable, String(defaults[variable])]);
});

test('a Sentinel or Cluster · takes the place of the Redis that Compose runs · where REDIS_URL is empty', () => {
  const file = { REDIS_URL: '', REDIS_CLUSTER: 'a:1' };
  expect(environmentOf(services.api, { '.env': file })).toMatchObject(file);
});

test('the sandbox’s file · is all that its processes get · whatever lies in .env', () => {
  const sandbox = {
    'sandbox.env': { ENV_FILE: 'sandbox.env', OPERATOR_TOKEN: 'of the sandbox' },
    '.env': marked(NAMES),
  };
  expect(readFileSync('sandbox.env', 'utf8')).toMatch(/^ENV_FILE=sandbox\.env$/m);
  for (const name of ['api', 'worker'] as const) {
    expect(JSON.stringify(environmentOf(services[name], sandbox, 'sandbox.env'))).not.toContain('marked');
  }
});

test('the port that is published · is the one the API listens on', () => {
  expect(services.api.ports?.map((port) => interpolate(port, { PORT: '9000', API_PORT: '80' }))).toEqual([
    '0.0.0.0:80:9000',
  ]);
});
