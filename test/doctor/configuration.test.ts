// What the doctor makes of an environment: faults by name, never by value, and what can be examined all the same.
import { describe, expect, test } from 'vitest';
import { examineConfiguration, type Scope } from '../../src/doctor/configuration.ts';
import { judgeDeviceKeys } from '../../src/doctor/device-keys.ts';
import { worst } from '../../src/doctor/finding.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from '../support/device.ts';

const good = {
  REDIS_URL: 'redis://redis:6379',
  DEVICE_GROUP_KEYS: OLD_GROUP_KEY,
  OPERATOR_TOKEN: 'an-operator-token-of-32-characters-or-more',
  AZURE_TENANT_ID: 'contoso.example',
  AZURE_CLIENT_ID: 'app',
  AZURE_CLIENT_SECRET: 'the-client-secret',
};
const without = (...names: (keyof typeof good)[]) =>
  Object.fromEntries(Object.entries(good).filter(([name]) => !names.includes(name as keyof typeof good)));

function examined(env: Record<string, string>, scope: Scope = 'both', extraCertificates = 0) {
  const { findings, redis, graph } = examineConfiguration(env, scope, extraCertificates);
  return {
    findings: findings.map(({ check, result, detail }) => `${result} ${check}: ${detail}`),
    redis: redis?.kind ?? null,
    graph: graph !== null,
  };
}
const FINE = 'ok configuration: every variable that is set is well-formed, none is missing';

test('a whole environment · passes · and everything can be examined', () => {
  expect(examined(good)).toEqual({ findings: [FINE, 'ok operator-token: is set'], redis: 'single', graph: true });
});

test.each<[string, Record<string, string>, Scope, ReturnType<typeof examined>]>([
  [
    'keys malformed · Redis and Graph are examined all the same',
    { ...good, DEVICE_GROUP_KEYS: 'short' },
    'both',
    {
      findings: [
        'failed configuration: DEVICE_GROUP_KEYS must be base64 keys of 16 to 64 bytes, separated by commas',
        'ok operator-token: is set',
      ],
      redis: 'single',
      graph: true,
    },
  ],
  [
    'a malformed Redis address · is not taken for the embedded one',
    { ...good, REDIS_URL: 'http://redis' },
    'both',
    {
      findings: [
        'failed configuration: REDIS_URL must be a redis://, rediss:// or unix: address',
        'ok operator-token: is set',
      ],
      redis: null,
      graph: true,
    },
  ],
  [
    'a malformed Graph address · is not taken for the usual one',
    { ...good, GRAPH_BASE_URL: 'http://graph' },
    'both',
    {
      findings: ['failed configuration: GRAPH_BASE_URL must be an https URL', 'ok operator-token: is set'],
      redis: 'single',
      graph: false,
    },
  ],
  [
    'keys and credential missing · Redis is examined all the same',
    without('DEVICE_GROUP_KEYS', 'AZURE_CLIENT_SECRET'),
    'both',
    {
      findings: [
        'failed configuration: DEVICE_GROUP_KEYS is required; one of AZURE_CLIENT_SECRET, AZURE_CLIENT_SECRET_FILE, AZURE_CLIENT_CERTIFICATE_PATH, AZURE_FEDERATED_TOKEN_FILE or a managed identity (IDENTITY_ENDPOINT) is required',
        'ok operator-token: is set',
      ],
      redis: 'single',
      graph: false,
    },
  ],
  [
    'the API alone · needs no credential',
    without('AZURE_CLIENT_SECRET'),
    'api',
    { findings: [FINE, 'ok operator-token: is set'], redis: 'single', graph: false },
  ],
  [
    'a worker alone · needs neither keys nor operator token',
    without('DEVICE_GROUP_KEYS', 'OPERATOR_TOKEN'),
    'worker',
    { findings: [FINE], redis: 'single', graph: true },
  ],
  [
    'no operator token · is a warning',
    without('OPERATOR_TOKEN'),
    'both',
    {
      findings: [
        FINE,
        'warning operator-token: OPERATOR_TOKEN is not set: status, dead letters, replay and the dashboard do not exist',
      ],
      redis: 'single',
      graph: true,
    },
  ],
])('%s', (_, env, scope, expected) => {
  expect(examined(env, scope)).toEqual(expected);
});

test.each([
  [0, 'failed certificates: NODE_EXTRA_CA_CERTS names no file with certificates that could be read at the start'],
  [2, 'ok certificates: NODE_EXTRA_CA_CERTS holds 2'],
])('%d certificates of an extra file · are told', (count, line) => {
  expect(examined({ ...good, NODE_EXTRA_CA_CERTS: '/ca.pem' }, 'both', count).findings).toContain(line);
});

describe('device group keys', () => {
  test.each([
    ['none', undefined, 'skipped', 'DEVICE_GROUP_KEYS is not set'],
    ['malformed', 'short', 'failed', 'DEVICE_GROUP_KEYS is malformed'],
    ['one', OLD_GROUP_KEY, 'ok', 'one key, of 25 bytes'],
    [
      'several',
      `${OLD_GROUP_KEY}, ${Buffer.alloc(32).toString('base64')}`,
      'ok',
      '2 keys, the first signs, of 25 bytes',
    ],
    ['one twice', `${OLD_GROUP_KEY},${OLD_GROUP_KEY}`, 'warning', 'one key is there twice'],
    ['the public test vector', `${OLD_GROUP_KEY},${GROUP_KEY}`, 'warning', /^one key is the public test vector/],
    [
      'the sandbox’s',
      'cnVuc3RhdGUtYnJpZGdlIHNhbmRib3ggZ3JvdXAga2V5',
      'warning',
      /^one key is the public key of sandbox\.env/,
    ],
  ])('%s · are judged · and not shown', (_, value, result, detail) => {
    const finding = judgeDeviceKeys(value);
    expect(finding.result).toBe(result);
    expect(finding.detail).toEqual(typeof detail === 'string' ? detail : expect.stringMatching(detail));
    expect(JSON.stringify(finding)).not.toContain(OLD_GROUP_KEY);
  });
});

test('the worst of findings · is what counts · and what was skipped does not', () => {
  const of = (...results: ('ok' | 'warning' | 'failed' | 'skipped')[]) =>
    worst(results.map((result) => ({ check: '', result, detail: '', remedy: null })));
  expect([of(), of('skipped', 'ok'), of('ok', 'warning', 'skipped'), of('failed', 'warning', 'ok')]).toEqual([
    'ok',
    'ok',
    'warning',
    'failed',
  ]);
});
