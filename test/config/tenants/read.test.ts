// The tenants file: what it may say, every fault at once by its path, and the published schema.
import { chmodSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { parseConfig } from '../../../src/config/config.ts';
import { readTenants } from '../../../src/config/tenants/read.ts';
import { tenantsFileSchema } from '../../../src/config/tenants/schema.ts';
import { createAuthority } from '../../support/certificates.ts';
import { AZURE, createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';

const KEY = Buffer.alloc(32, 1).toString('base64');
const OTHER_KEY = Buffer.alloc(32, 2).toString('base64');

let file: TenantsFile;
beforeEach(() => (file = createTenantsFile()));
afterEach(() => file.close());

const config = (more: Record<string, string> = {}) => parseConfig({ TENANTS_FILE: file.path, ...more }, 'worker');
const read = (role: 'api' | 'worker' = 'api', more: Record<string, string> = {}) =>
  readTenants(file.path, config(more), role);
const faults = async (tenants: readonly object[], role: 'api' | 'worker' = 'api') => {
  file.write(tenants);
  return (await read(role)).faults;
};

test('a full entry · says everything of a tenant · and what it does not say is the environment’s', async () => {
  file.write([
    file.tenant('contoso', KEY, {
      graph: { cloud: 'usgov', baseUrl: null, authorityHost: null, writesPer20s: 60 },
      delivery: {
        priority: 'failures-first',
        supersede: true,
        maxAgeH: 24,
        dedupeWindowH: 48,
        maxBacklogBytes: 1_000_000,
      },
      paused: true,
    }),
    file.tenant('fabrikam', OTHER_KEY),
  ]);
  const { tenants, faults: found } = await read('api', { GRAPH_WRITES_PER_20S: '40', ENTRA_AUDIENCE: 'api://bridge' });
  expect(found).toEqual([]);
  const [contoso, fabrikam] = tenants;
  expect(contoso).toMatchObject({
    id: 'contoso',
    isPaused: true,
    graph: { baseUrl: 'https://graph.microsoft.us/beta', authorityHost: 'https://login.microsoftonline.us' },
    delivery: { writesPer20s: 60, priority: 'failures-first', supersede: true, dedupeWindowMs: 172_800_000 },
    backlog: { maxBytes: 1_000_000, maxAgeMs: null },
    entra: { tenantId: AZURE.tenantId, audiences: ['api://bridge'] },
  });
  expect(contoso?.delivery.policy.maxAgeMs).toBe(86_400_000);
  expect(contoso?.groupKeys.map((key) => key.reveal())).toEqual([KEY]);
  expect(fabrikam).toMatchObject({
    isPaused: false,
    graph: { baseUrl: 'https://graph.microsoft.com/beta', credential: { kind: 'secret-file' } },
    delivery: { writesPer20s: 40, priority: 'fifo', supersede: false },
    directory: null,
    devices: null,
  });
});

test('variables of one tenant · beside the file · are named as not used', () => {
  const given = { AZURE_CLIENT_ID: 'app', DEVICE_GROUP_KEYS: KEY, GRAPH_CLOUD: 'usgov', GRAPH_WRITES_PER_20S: '40' };
  expect(config(given).unused.toSorted()).toEqual(['AZURE_CLIENT_ID', 'DEVICE_GROUP_KEYS', 'GRAPH_CLOUD']);
  expect(parseConfig({ DEVICE_GROUP_KEYS: KEY }, 'api').unused).toEqual([]);
});

test('JSON · is as good as YAML', async () => {
  file.writeText(JSON.stringify({ tenants: [file.tenant('contoso', KEY)] }));
  expect(await read()).toMatchObject({ faults: [], tenants: [{ id: 'contoso' }] });
});

test('every fault · is reported at once · by its path', async () => {
  const found = await faults([
    { id: 'Contoso!', azure: { tenantId: 'x', clientSecretFile: 'a', managedIdentity: true }, colour: 'red' },
    { ...file.tenant('fabrikam', KEY), graph: { baseUrl: 'http://graph', writesPer20s: 0 }, paused: 'yes' },
  ]);
  expect(found).toEqual(
    expect.arrayContaining([
      expect.stringContaining('tenants[0].id must be 1 to 40 of a–z 0–9 -'),
      expect.stringContaining('tenants[0].azure.tenantId must be a GUID'),
      expect.stringMatching(/^tenants\[0\] .*colour/),
      expect.stringContaining('tenants[1].graph.baseUrl must be an https URL'),
      expect.stringContaining('tenants[1].graph.writesPer20s'),
      expect.stringContaining('tenants[1].paused'),
    ]),
  );
});

test.each<[string, (made: TenantsFile) => object[], string]>([
  [
    'two with one id',
    (made) => [made.tenant('a', KEY), { ...made.tenant('b', OTHER_KEY), id: 'a' }],
    'tenants[1].id is also the id of tenants[0]',
  ],
  [
    'two with one group key',
    (made) => [made.tenant('a', KEY), made.tenant('b', KEY)],
    'tenants[1].devices.groupKeyFiles has a key of tenants[0] too',
  ],
  [
    'a missing key file',
    (made) => [made.tenant('a', KEY, { devices: { groupKeyFiles: ['/nowhere/key'] } })],
    'tenants[0].devices.groupKeyFiles[0] cannot be read: there is no such file',
  ],
  [
    'a key file with something else',
    (made) => [made.tenant('a', 'not a key')],
    'tenants[0].devices.groupKeyFiles[0] holds no base64 keys of 16 to 64 bytes, or others too',
  ],
  [
    'no credential',
    (made) => [made.tenant('a', KEY, { azure: AZURE })],
    'tenants[0].azure must have one of clientSecretFile, clientCertificateFile, federatedTokenFile, managedIdentity',
  ],
  [
    'no client id',
    (made) => [made.tenant('a', KEY, { azure: { tenantId: AZURE.tenantId, clientSecretFile: '/secret' } })],
    'tenants[0].azure.clientId is required',
  ],
])('%s · is a fault', async (_what, make, fault) => {
  expect(await faults(make(file))).toEqual([fault]);
});

test('a credential file · is the worker’s to read · not the API’s', async () => {
  const entry = file.tenant('a', KEY, { azure: { ...AZURE, clientSecretFile: '/nowhere/secret' } });
  expect(await faults([entry], 'api')).toEqual([]);
  expect(await faults([entry], 'worker')).toEqual([
    'tenants[0].azure.clientSecretFile cannot be read: there is no such file',
  ]);
});

test.each([
  ['nothing', '', /the file/],
  ['no YAML', 'tenants: [', /^the file is not YAML or JSON/],
  ['a member twice', 'tenants: []\ntenants: []', /^the file is not YAML or JSON/],
  ['a list', '- id: a', /the file/],
  ['very deep lists', '['.repeat(5000), /^the file is not YAML or JSON/],
  [
    'an alias bomb',
    `a: &a [x,x,x]\n${'b'.repeat(1)}: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]`,
    /the file/,
  ],
])('a file with %s · is refused', async (_what, text, fault) => {
  file.writeText(text);
  const { faults: found, tenants } = await read();
  expect(found.join('; ')).toMatch(fault);
  expect(found.length).toBeLessThanOrEqual(10);
  expect(tenants).toEqual([]);
});

test('a file that is not there, or not readable · is refused', async () => {
  expect((await read()).faults).toEqual(['the file cannot be read: there is no such file']);
  file.write([]);
  chmodSync(file.path, 0);
  if (process.getuid?.() !== 0) expect((await read()).faults).toEqual(['the file cannot be read: this user may not']);
});

test('the published schema · is the one that files are read by · and accepts what is read', () => {
  const published = JSON.parse(readFileSync('docs/tenants.schema.json', 'utf8')) as object;
  expect(published).toEqual(JSON.parse(JSON.stringify(z.toJSONSchema(tenantsFileSchema, { io: 'input' }))));
  const validate = new Ajv2020({ strict: false }).compile(published);
  file.write([file.tenant('contoso', KEY)]);
  expect(validate(parse(readFileSync(file.path, 'utf8')))).toBe(true);
  expect(validate({ tenants: [{ id: 'contoso' }] })).toBe(false);
});

test('one authority for two tenants · is a fault · unless certificates name the Entra tenant', async () => {
  const caFile = file.file('ca.pem', (await createAuthority()).pem);
  const entry = (id: string, tenantId: string, idFromCert: string) => ({
    id,
    azure: { tenantId, managedIdentity: true },
    devices: { caFile, idFromCert },
  });
  const other = '00000000-0000-4000-8000-000000000001';
  expect(await faults([entry('a', AZURE.tenantId, 'cn'), entry('b', other, 'cn')])).toEqual([
    'tenants[1].devices.caFile has an authority of tenants[0] too',
  ]);
  expect(await faults([entry('a', AZURE.tenantId, 'intune-mdm'), entry('b', other, 'intune-mdm')])).toEqual([]);
  expect(await faults([entry('a', AZURE.tenantId, 'intune-mdm'), entry('b', other, 'cn')])).toHaveLength(1);
});

test.each([
  ['a byte order mark', (text: string) => `\uFEFF${text}`],
  ['carriage returns', (text: string) => text.replaceAll('\n', '\r\n')],
])('a file with %s · is read', async (_what, change) => {
  file.writeText(change(stringify({ tenants: [file.tenant('no', KEY)] })));
  expect(await read()).toMatchObject({ faults: [], tenants: [{ id: 'no' }] });
});

test.each(['007', '0x10', '1e3', 'true', '~', '2026-01-01', '.inf'])(
  'the id %s without quotes · is no other id',
  async (id) => {
    file.writeText(stringify({ tenants: [file.tenant('x', KEY)] }).replace('id: x', `id: ${id}`));
    const { tenants, faults: found } = await read();
    expect([id, undefined]).toContain(tenants[0]?.id);
    expect(found.length > 0).toBe(tenants.length === 0);
  },
);
