// The chart's values against the service's variables: each can be set, reaches the process that reads it, and in the form it takes.
import { describe, expect, test } from 'vitest';
import { environmentSchema } from '../../src/config/environment.ts';
import { isInstalled } from '../support/is-installed.ts';
import { podOf, readChart, render, renderValues, type KubernetesObject, type Role, type Values } from './chart.ts';

type Form = { type?: string; enum?: unknown[]; minimum?: number; maximum?: number; exclusiveMinimum?: number };
const { properties } = readChart('values.schema.json') as {
  properties: Record<'config' | 'secrets' | 'files', { properties: Record<string, Form> }> & {
    extraEnv: { items: { properties: { name: { not: { enum: string[] } } } } };
  };
};
const OWN = properties.extraEnv.items.properties.name.not.enum;
const CONFIG = properties.config.properties;
const [SECRETS, FILES] = [properties.secrets, properties.files].map((map) => Object.keys(map.properties));
const NAMES = [...Object.keys(environmentSchema.shape), 'NODE_EXTRA_CA_CERTS'];

/** What stays with the other process, as in docker-compose.yml; and the TLS of the API's listener. */
const isOthers = (name: string, role: Role) =>
  role === 'api'
    ? /^AZURE_(CLIENT_SECRET|CLIENT_CERTIFICATE|FEDERATED)|^IDENTITY_ENDPOINT|^DIRECTORY_/.test(name)
    : /^(DEVICE_GROUP_KEYS|OPERATOR_TOKEN|TLS_(CERT|KEY)_FILE|DEVICE_CA_FILE)$/.test(name);

/** A text that the chart takes for each variable whose form is a text. */
const TEXTS: Record<string, string> = {
  REDIS_URL: 'redis://marked:6379',
  REDIS_PREFIX: 'marked',
  AZURE_AUTHORITY_HOST: 'https://marked',
  GRAPH_BASE_URL: 'https://marked/beta',
  PUBLIC_BASE_PATH: '/marked',
};
const valueOf = (name: string, { enum: values, maximum }: Form) =>
  (values?.[0] as string | undefined) ?? maximum ?? TEXTS[name] ?? `marked-${name} $(HOME)`;

const isTaken = (name: string, value: unknown) => {
  const shape = environmentSchema.shape[name as keyof typeof environmentSchema.shape];
  return shape.safeParse(value === true ? 'on' : value === false ? 'off' : String(value)).success;
};

test('every variable of the service · is a value of the chart · a secret one only by reference', () => {
  const settable = new Set([...Object.keys(CONFIG), ...(SECRETS ?? []), ...(FILES ?? [])]);
  expect([...settable].sort()).toEqual([...NAMES].sort());
  const secret = NAMES.filter((name) => /(_KEYS|_TOKEN|_PASSWORD|_SECRET)$/.test(name));
  expect(secret.filter((name) => !SECRETS?.includes(name) || name in CONFIG)).toEqual([]);
});

test('a variable that is none of the service’s own · is all that extraEnv takes', () => {
  expect([...OWN].sort()).toEqual([...NAMES].sort());
});

test('every variable that names a file · can be a key of a Secret or ConfigMap · which the chart mounts', () => {
  const named = NAMES.filter((name) => /_(FILE|PATH|CERTS)$/.test(name) && name !== 'PUBLIC_BASE_PATH');
  expect([...(FILES ?? [])].sort()).toEqual(named.sort());
});

test.each(Object.entries(CONFIG).filter(([, form]) => form.enum ?? form.maximum))(
  '%s · may be in the chart · what it may be in the service',
  (name, form) => {
    for (const value of form.enum ?? [form.maximum, form.minimum ?? 0.5]) expect(isTaken(name, value)).toBe(true);
    if (form.maximum !== undefined) {
      expect(isTaken(name, form.maximum + 1)).toBe(false);
      // Port 0 would be another with each start.
      if (!name.endsWith('PORT')) expect(isTaken(name, form.minimum === undefined ? 0 : form.minimum - 1)).toBe(false);
    }
  },
);

describe.skipIf(!isInstalled('helm'))('rendered (skipped where Helm is not installed)', () => {
  const environmentOf = (objects: KubernetesObject[], role: Role) => {
    const { env } = podOf(objects, role).containers[0];
    return Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));
  };
  test.each(['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'])(
    'with %s · every variable of config · reaches the processes that read it',
    async (redis) => {
      const rivals = ['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'].filter((name) => name !== redis);
      if (redis !== 'REDIS_SENTINELS') rivals.push('REDIS_SENTINEL_NAME');
      const names = Object.keys(CONFIG).filter((name) => !rivals.includes(name));
      const given = Object.fromEntries(names.map((name) => [name, valueOf(name, CONFIG[name] ?? {})]));
      const objects = await renderValues({ config: given });
      for (const role of ['api', 'worker'] as const) {
        const expected = names
          .filter((name) => !isOthers(name, role))
          .map((name) => [name, String(given[name]).replace('$(', '$$$$(')]);
        expect(environmentOf(objects, role)).toEqual(Object.fromEntries(expected));
      }
    },
  );

  test('every variable of secrets · is read from its Secret · by the processes that need it', async () => {
    const given = Object.fromEntries((SECRETS ?? []).map((name) => [name, { name: `of-${name}`, key: 'value' }]));
    const objects = await renderValues({ secrets: given });
    for (const role of ['api', 'worker'] as const) {
      const expected = Object.entries(given)
        .filter(([name]) => !isOthers(name, role))
        .map(([name, secretKeyRef]) => [name, { secretKeyRef }]);
      expect(environmentOf(objects, role)).toMatchObject(Object.fromEntries(expected));
      expect(Object.keys(environmentOf(objects, role)).filter((name) => isOthers(name, role))).toEqual([]);
    }
  });

  test.each(['secret', 'configMap'])(
    'every variable of files · names a key of its %s · where it is mounted',
    async (kind) => {
      const given = Object.fromEntries((FILES ?? []).map((name) => [name, { [kind]: `of-${name}`, key: 'some.key' }]));
      const objects = await renderValues({ config: { REDIS_URL: 'redis://redis:6379' }, files: given });
      for (const role of ['api', 'worker'] as const) {
        const own = (FILES ?? []).filter((name) => !isOthers(name, role)).sort();
        const { containers, volumes } = podOf(objects, role);
        const { mountPath = '' } = containers[0].volumeMounts.find(({ name }) => name === 'files') ?? {};
        const expected = own.map((name) => [name, `${mountPath}/${name}`]);
        expect(environmentOf(objects, role)).toMatchObject(Object.fromEntries(expected));
        expect(volumes.find(({ name }) => name === 'files')?.projected?.sources).toEqual(
          own.map((name) => ({ [kind]: { name: `of-${name}`, items: [{ key: 'some.key', path: name }] } })),
        );
      }
    },
  );

  test('hours with a fraction, bytes by the billion, on and off · are written · as the service reads them', async () => {
    const changes = { 'config.DEDUPE_WINDOW_H': 0.5, 'config.MAX_BACKLOG_BYTES': 5e12, 'config.SUPERSEDE': true };
    expect(environmentOf(await render('minimal', changes), 'api')).toMatchObject({
      DEDUPE_WINDOW_H: '0.5',
      MAX_BACKLOG_BYTES: '5000000000000',
      SUPERSEDE: 'on',
    });
  });

  test('maps whose every line is commented out · are empty · and no fault', async () => {
    const objects = await renderValues({
      config: null,
      secrets: { REDIS_URL: { name: 'redis', key: 'url' } },
      files: null,
    });
    expect(Object.keys(environmentOf(objects, 'api'))).toEqual(['REDIS_URL']);
    const others = await renderValues({ config: { REDIS_URL: 'redis://redis:6379' }, secrets: null });
    expect(environmentOf(others, 'worker')).toMatchObject({ REDIS_URL: 'redis://redis:6379' });
  });

  test.each([
    ['a misspelt variable', { 'config.REDIS_ULR': 'redis://redis' }, /REDIS_ULR/],
    ['a misspelt value', { 'api.replica': 2 }, /'replica'|replica /],
    ['a value of the wrong type', { 'worker.replicas': 'two' }, /replicas/],
    ['a number out of range', { 'config.WORKER_CONCURRENCY': 0 }, /WORKER_CONCURRENCY/],
    ['a secret among the values', { 'config.OPERATOR_TOKEN': 'open' }, /OPERATOR_TOKEN/],
    ['a password in the address of Redis', { 'config.REDIS_URL': 'redis://:open@redis' }, /REDIS_URL/],
    ['a file of both kinds', { 'files.TENANTS_FILE': { secret: 'a', configMap: 'b', key: 'c' } }, /TENANTS_FILE/],
    ['an ingress without a host', { 'ingress.enabled': true }, /hosts/],
    ['KEDA without a Prometheus', { 'autoscaling.enabled': true }, /prometheusAddress/],
    ['no Redis', { 'config.REDIS_URL': undefined }, /must have one of REDIS_URL, REDIS_SENTINELS, REDIS_CLUSTER/],
    ['two of them', { 'config.REDIS_CLUSTER': 'a:1' }, /must have one of REDIS_URL, REDIS_SENTINELS, REDIS_CLUSTER/],
    ['a certificate without a key', { 'files.TLS_CERT_FILE': { secret: 'tls', key: 'tls.crt' } }, /need each other/],
    [
      'a variable given twice',
      { 'secrets.REDIS_URL': { name: 'redis', key: 'url' } },
      /REDIS_URL stands in config and in secrets/,
    ],
    [
      'Sentinels of no master',
      { 'config.REDIS_URL': undefined, 'config.REDIS_SENTINELS': 'a:1' },
      /REDIS_SENTINELS and REDIS_SENTINEL_NAME need each other/,
    ],
    ['a master of no Sentinels', { 'config.REDIS_SENTINEL_NAME': 'bridge' }, /need each other/],
    ['a drain longer than the end', { 'config.DRAIN_MS': 30_000 }, /DRAIN_MS must be less than SHUTDOWN_GRACE_MS/],
    ['an empty address behind the back', { extraEnv: [{ name: 'REDIS_URL', value: '' }] }, /extraEnv/],
    ['a secret behind the back', { extraEnv: [{ name: 'OPERATOR_TOKEN', value: 'open' }] }, /extraEnv/],
    [
      'one account for both',
      { serviceAccount: { apiName: 'bridge', workerName: 'bridge' } },
      /apiName and workerName must differ/,
    ],
    ['more pods at least than at most', { 'autoscaling.worker': { minReplicas: 9 } }, /worker.minReplicas is above/],
    ['a name no Service may have', { fullnameOverride: '1st' }, /a Service cannot be called 1st/],
    [
      'monitoring without a way to the API',
      { 'monitoring.podMonitors': true, 'networkPolicy.apiFrom': [{ podSelector: {} }] },
      /name it in networkPolicy.metricsFrom/,
    ],
    [
      'workload identity without an app',
      { 'workloadIdentity.enabled': true, 'config.AZURE_CLIENT_ID': undefined },
      /workloadIdentity needs config.AZURE_CLIENT_ID/,
    ],
    [
      'a token of the chart’s and another',
      { workloadIdentity: { enabled: true, token: 'chart' }, 'config.AZURE_FEDERATED_TOKEN_FILE': '/run/token' },
      /AZURE_FEDERATED_TOKEN_FILE is set by workloadIdentity/,
    ],
  ])('%s · is refused · before anything is installed', async (_what, changes: Values, reason) => {
    await expect(render('minimal', changes)).rejects.toThrow(reason);
  });
});
