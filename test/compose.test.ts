// Compose: every variable that is set in the file reaches the processes that read it, and secrets no others.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { environmentSchema } from '../src/config/environment.ts';

type Service = { environment: Record<string, string>; ports?: string[] };

const { services } = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as {
  services: Record<'api' | 'worker', Service>;
};
const NAMES = Object.keys(environmentSchema.shape);
const marked = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, `marked-${name}`]));

/** What stays with the other process. */
const NOT_FOR = {
  api: NAMES.filter((name) =>
    /^AZURE_(CLIENT_SECRET|CLIENT_CERTIFICATE|FEDERATED)|^IDENTITY_ENDPOINT|^DIRECTORY_/.test(name),
  ),
  worker: ['DEVICE_GROUP_KEYS', 'OPERATOR_TOKEN'],
};

/** `${NAME}`, `${NAME:-where it is unset or empty}` and `${NAME-where it is unset}`, as every Compose knows them. */
function interpolate(text: string, file: Record<string, string>): string {
  return text.replaceAll(/\$\{(\w+)(?:(:?-)([^}]*))?\}/g, (_all, name: string, how?: string, otherwise?: string) => {
    const value = file[name];
    return value === undefined || (how === ':-' && value === '') ? (otherwise ?? '') : value;
  });
}

/** A service's environment, given what is set in Compose's own file or in the shell. */
const environmentOf = ({ environment }: Service, file: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([variable, value]) => [variable, interpolate(value, file)]));

test.each(['api', 'worker'] as const)('%s · gets every variable of .env · but the other one’s secrets', (name) => {
  const environment = environmentOf(services[name], marked(NAMES));
  const reaching = NAMES.filter((variable) => !NOT_FOR[name].includes(variable));
  expect(environment).toMatchObject(marked(reaching));
  // An empty variable counts as unset.
  for (const variable of NOT_FOR[name]) expect(environment[variable] ?? '').toBe('');
});

test.each(['api', 'worker'] as const)('%s · with nothing set · comes up with the defaults', (name) => {
  const given = Object.entries(environmentOf(services[name], {})).filter(([, value]) => value !== '');
  expect(given).toEqual([['REDIS_URL', 'redis://redis:6379']]);
});

test('a Sentinel or Cluster · takes the place of the Redis that Compose runs · where REDIS_URL is empty', () => {
  const file = { REDIS_URL: '', REDIS_CLUSTER: 'a:1' };
  expect(environmentOf(services.api, file)).toMatchObject(file);
});

test('the port that is published · is the one the API listens on', () => {
  expect(services.api.ports?.map((port) => interpolate(port, { PORT: '9000', API_PORT: '80' }))).toEqual([
    '0.0.0.0:80:9000',
  ]);
});

test('the example with Sentinels · replaces the one Redis · by one that loses nothing when a node is gone', () => {
  const example = parse(readFileSync('deploy/compose/sentinel.yml', 'utf8'), { merge: true }) as {
    services: Record<string, { environment?: Record<string, string>; command?: string[]; entrypoint?: string[] }>;
  };
  for (const name of ['api', 'worker'] as const) {
    const environment = { ...environmentOf(services[name], {}), ...example.services[name]?.environment };
    expect(environment).toMatchObject({ REDIS_URL: '', REDIS_SENTINEL_NAME: 'bridge', REDIS_MIN_REPLICAS: '1' });
    const sentinels = environment['REDIS_SENTINELS']?.split(',').map((address) => address.replace(':26379', '')) ?? [];
    expect(sentinels).toHaveLength(3);
    for (const sentinel of sentinels) expect(example.services).toHaveProperty(sentinel);
  }
  for (const name of ['redis-2', 'redis-3'])
    expect(example.services[name]?.command?.join(' ')).toMatch(
      /--appendonly yes --appendfsync always --maxmemory-policy noeviction/,
    );
  const primary = example.services['redis'];
  expect(primary?.entrypoint?.join(' ')).toContain('--min-replicas-to-write 1');
  // podman-compose 1.0.3 appends a command to the one it would replace.
  expect(primary).not.toHaveProperty('command');
});
