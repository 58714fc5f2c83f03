// What a process says at its start of its optional protections: each by its variable, on or off.
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { describeProtections } from '../../src/config/protections.ts';
import { GROUP_KEY } from '../support/device.ts';
import { startProcess } from '../support/process.ts';

const KEY = Buffer.alloc(32).toString('base64');
const TENANT = '7a1f3b90-52a4-4b6f-9d1e-2f6c1f0a9b33';
const ALL = {
  PAYLOAD_KEYS: KEY,
  REDIS_TLS: 'on',
  DEVICE_GROUP_KEYS: GROUP_KEY,
  TLS_CERT_FILE: '/cert.pem',
  TLS_KEY_FILE: '/key.pem',
  DEVICE_CA_FILE: '/ca.pem',
  DEVICE_DIRECTORY: 'entra',
  ENTRA_AUDIENCE: 'api://bridge',
  AZURE_TENANT_ID: TENANT,
  OPERATOR_TOKEN: 'x'.repeat(32),
  DEVICE_RATE_PER_MIN: '60',
  MAX_BACKLOG_BYTES: '1',
  MAX_BACKLOG_AGE_H: '1',
};
const NAMES = Object.keys(ALL).filter((name) => !['TLS_KEY_FILE', 'AZURE_TENANT_ID'].includes(name));

test('all of them · are on · and none is off', () => {
  const { on, off } = describeProtections(parseConfig({ REDIS_URL: 'redis://h', ...ALL }, 'api'), 'api');
  expect([on.sort(), off]).toEqual([NAMES.sort(), []]);
});

test.each(NAMES)('%s alone · is on · and the others are off', (name) => {
  const needed: Record<string, Record<string, string>> = {
    TLS_CERT_FILE: { TLS_KEY_FILE: '/key.pem' },
    ENTRA_AUDIENCE: { AZURE_TENANT_ID: TENANT },
  };
  const group = ['DEVICE_CA_FILE', 'DEVICE_DIRECTORY', 'ENTRA_AUDIENCE'].includes(name)
    ? {}
    : { DEVICE_GROUP_KEYS: GROUP_KEY };
  const only = { [name]: ALL[name as keyof typeof ALL], ...needed[name], ...group };
  const given = { REDIS_URL: 'redis://h', DEVICE_RATE_PER_MIN: '0', ...only };
  const { on, off } = describeProtections(parseConfig(given, 'api'), 'api');
  const expected = [...new Set([name, ...Object.keys(group)])];
  expect([on.sort(), [...on, ...off].sort()]).toEqual([expected.sort(), NAMES.sort()]);
});

test('with a tenants file · what each tenant has of its own · is neither on nor off', () => {
  const given = { TENANTS_FILE: '/tenants.yaml', ENTRA_AUDIENCE: 'api://bridge' };
  const { on, off } = describeProtections(parseConfig(given, 'api'), 'api');
  expect(on).toContain('ENTRA_AUDIENCE');
  expect([...on, ...off].filter((name) => name.startsWith('DEVICE_'))).toEqual(['DEVICE_RATE_PER_MIN']);
});

test('a process · says it in one line · with names and no values', async () => {
  const { PAYLOAD_KEYS, OPERATOR_TOKEN, DEVICE_GROUP_KEYS } = ALL;
  const given = { PAYLOAD_KEYS, OPERATOR_TOKEN, DEVICE_GROUP_KEYS };
  const started = startProcess('src/main.ts', {
    REDIS_URL: 'redis://127.0.0.1:1',
    PORT: '0',
    HOST: '127.0.0.1',
    ...given,
  });
  const { on, off } = await started.line('optional protections');
  expect([on, off]).toEqual([
    ['PAYLOAD_KEYS', 'DEVICE_GROUP_KEYS', 'OPERATOR_TOKEN', 'DEVICE_RATE_PER_MIN'],
    [
      'REDIS_TLS',
      'TLS_CERT_FILE',
      'DEVICE_CA_FILE',
      'DEVICE_DIRECTORY',
      'ENTRA_AUDIENCE',
      'MAX_BACKLOG_BYTES',
      'MAX_BACKLOG_AGE_H',
    ],
  ]);
  for (const value of Object.values(given)) expect(started.stdout()).not.toContain(value);
  await started.close();
});
