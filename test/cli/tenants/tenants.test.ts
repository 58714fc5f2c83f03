// The command `tenants`: lists, checks and changes a file, and forgets a tenant's data.
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createSandbox, type Sandbox } from '../../../src/sandbox/sandbox.ts';
import { runCli } from '../../support/cli.ts';
import { trustedTlsDirectory } from '../../support/graph.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant } from '../../support/tenant.ts';
import { AZURE, createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';

const KEY = Buffer.alloc(32, 1).toString('base64');

let redis: TestRedis;
let sandbox: Sandbox;
let file: TenantsFile;

beforeAll(async () => {
  redis = await startTestRedis();
  sandbox = await createSandbox({ tlsDirectory: trustedTlsDirectory() });
});
afterAll(async () => {
  await sandbox.close();
  await redis.close();
});
beforeEach(() => (file = createTenantsFile()));
afterEach(() => file.close());

const run = (args: string[], env: Record<string, string> = {}) =>
  runCli(['tenants', ...args], { env: { TENANTS_FILE: file.path, REDIS_URL: redis.url, ...env } });

test('a file · is listed · and checked, every fault by its path', async () => {
  file.write([file.tenant('contoso', KEY, { paused: true })]);
  const listed = await run(['list', '--json']);
  expect(JSON.parse(listed.stdout)).toEqual({
    tenants: [
      {
        ...{ id: 'contoso', ...AZURE, credential: 'secret-file', devices: ['keys'], writesPer20s: 100, paused: true },
      },
    ],
  });
  expect((await run(['list'])).stdout).toContain('contoso');
  expect(await run(['check', file.path])).toMatchObject({ code: 0, stdout: '1 tenants, no faults\n' });
  file.write([{ id: 'Contoso' }, file.tenant('b', KEY, { azure: { ...AZURE, clientSecretFile: '/nowhere' } })]);
  const checked = await run(['check']);
  expect(checked.code).toBe(78);
  expect(checked.stdout).toContain('tenants[0].id must be');
  expect(checked.stdout).toContain('tenants[0].azure');
}, 60_000);

test('a credential · is tried online · for each tenant', async () => {
  const { tenantId, clientId, clientSecret, graphBaseUrl: baseUrl, authorityHost } = sandbox;
  const graph = { baseUrl, authorityHost };
  const azure = (name: string, secret: string) => ({ tenantId, clientId, clientSecretFile: file.file(name, secret) });
  file.write([
    file.tenant('contoso', KEY, { graph, azure: azure('good', clientSecret) }),
    { id: 'fabrikam', graph, azure: azure('bad', 'no secret of it') },
  ]);
  const checked = await run(['check', '--online'], { NODE_EXTRA_CA_CERTS: sandbox.caPath });
  expect(checked.stdout).toMatch(/^contoso token: ok/m);
  expect(checked.stdout).toMatch(/^fabrikam token: failed, 401 invalid_client/m);
  expect(checked.code).toBe(1);
}, 60_000);

test('a tenant · is added and removed · comments, mode and other entries stay', async () => {
  const secret = file.file('secret', 'a secret');
  file.writeText(
    `# Our customers\ntenants:\n  - id: adatum # the first\n    azure:\n      tenantId: ${AZURE.tenantId}\n      managedIdentity: true\n`,
  );
  const app = ['--azure-tenant', AZURE.tenantId, '--client-id', AZURE.clientId, '--client-secret-file', secret];
  expect(await run(['add', 'contoso', ...app, '--writes-per-20s', '60', '--paused'])).toMatchObject({ code: 0 });
  const text = readFileSync(file.path, 'utf8');
  expect(text).toContain('# Our customers');
  expect(text).toContain('# the first');
  expect(text).toContain('writesPer20s: 60');
  expect(statSync(file.path).mode & 0o777).toBe(0o600);
  // The same once more would be a fault, and so changes nothing.
  const twice = await run(['add', 'contoso', ...app]);
  expect(twice).toMatchObject({ code: 78, stderr: expect.stringContaining('is also the id of') as string });
  expect(readFileSync(file.path, 'utf8')).toBe(text);
  expect(await run(['remove', 'contoso'])).toMatchObject({ code: 0 });
  expect(readFileSync(file.path, 'utf8')).not.toContain('contoso');
  expect(await run(['remove', 'contoso'])).toMatchObject({ code: 65 });
}, 60_000);

test('a purged tenant · is forgotten · and no other', async () => {
  const tenants = await Promise.all(['contoso', 'contoso-2'].map((id) => openTestTenant(redis, { id })));
  for (const tenant of tenants) await tenant.deliveries.accept(aRun('1'), Date.now());
  file.write([]);
  expect((await run(['remove', 'contoso', '--purge'])).code).toBe(64);
  const purged = await run(['remove', 'contoso', '--purge', '--yes']);
  expect(purged).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+ keys of contoso are forgotten\n$/) as string,
  });
  const left = await Promise.all(tenants.map(async ({ deliveries }) => (await deliveries.counts()).queued));
  expect(left).toEqual([0, 1]);
  for (const tenant of tenants) await tenant.close();
}, 60_000);

test('a file that is a link, or JSON, or has no entries · is changed as what it is · and nothing is left beside it', async () => {
  const app = ['--azure-tenant', AZURE.tenantId, '--managed-identity'];
  const target = file.file('elsewhere.json', '\uFEFF{ "tenants": null }');
  chmodSync(target, 0o664);
  symlinkSync(target, file.path);
  expect(await run(['add', '007', ...app])).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(target, 'utf8'))).toMatchObject({ tenants: [{ id: '007' }] });
  expect(lstatSync(file.path).isSymbolicLink()).toBe(true);
  expect(statSync(target).mode & 0o777).toBe(0o664);
  expect((await run(['list'])).stdout).toContain('007');
  expect(await run(['add', 'Contoso', ...app])).toMatchObject({ code: 78 });
  expect(readdirSync(dirname(file.path)).filter((name) => name.includes('next'))).toEqual([]);
  file.writeText('# nobody yet\n');
  expect(await run(['add', 'contoso', ...app])).toMatchObject({ code: 0 });
  expect(readFileSync(file.path, 'utf8')).toContain('tenants:\n  - id: contoso\n');
}, 60_000);

test('a purge · of what is no id, or by a file that is not there · is refused', async () => {
  expect(await run(['remove', 'contoso', '--purge', '--yes'])).toMatchObject({ code: 78 });
  file.write([]);
  expect(await run(['remove', 'Contoso', '--purge', '--yes'])).toMatchObject({ code: 64 });
  expect(await run(['remove', '*', '--purge', '--yes'])).toMatchObject({ code: 64 });
  expect(await run(['remove', 'contoso'])).toMatchObject({ code: 65 });
}, 60_000);
