// The operator's commands against a bridge with several tenants: for all of them, or for the one that --tenant names.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { deriveDeviceKey } from '../../../src/domain/submission/device-key.ts';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli } from '../../support/cli.ts';
import { openTestTenant, aRun, type OwnTenant } from '../../support/tenant.ts';
import { createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';

const OPERATOR_TOKEN = 'an-operator-token-of-32-characters-or-more';
const IDS = ['contoso', 'fabrikam'];
const keyOf = (id: string) => Buffer.alloc(32, 1 + IDS.indexOf(id));

let file: TenantsFile;
let bridge: TestBridge;
const tenants = new Map<string, OwnTenant>();

beforeAll(async () => {
  file = createTenantsFile();
  file.write(IDS.map((id) => file.tenant(id, keyOf(id).toString('base64'))));
  bridge = await startTestBridge({ OPERATOR_TOKEN, DEVICE_GROUP_KEYS: '', TENANTS_FILE: file.path });
  for (const id of IDS) tenants.set(id, await openTestTenant(bridge.redis, { id }));
});
beforeEach(() => bridge.redis.client.flushall());
afterAll(async () => {
  for (const tenant of tenants.values()) await tenant.close();
  await bridge.close();
  file.close();
});

function of(id: string): OwnTenant {
  const tenant = tenants.get(id);
  if (!tenant) throw new Error(`there is no tenant ${id}`);
  return tenant;
}

const run = (args: string[], env: Record<string, string> = {}) =>
  runCli([...args, '--url', bridge.url], { env: { OPERATOR_TOKEN, ...env } });

const isThrottled = async (id: string) => (await of(id).budget.state()).throttle !== null;
const throttle = (id: string) =>
  of(id).budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 3_600_000, random: 0 });

test('throttles of several tenants · are ended together · or one by its name', async () => {
  for (const id of IDS) await throttle(id);
  const one = await run(['throttle', 'end', '--yes', '--tenant', 'contoso']);
  expect([one.code, await isThrottled('contoso'), await isThrottled('fabrikam')]).toEqual([0, false, true]);
  await throttle('contoso');
  const both = await run(['throttle', 'end', '--yes']);
  expect(both.stdout).toMatch(/contoso: Ended\.\nfabrikam: Ended\./);
  expect([both.code, await isThrottled('contoso'), await isThrottled('fabrikam')]).toEqual([0, false, false]);
  expect((await run(['throttle', 'end', '--yes', '--tenant', 'nobody'])).code).toBe(65);
}, 60_000);

test('one delivery · is explained · whosever it is', async () => {
  const accepted = await of('fabrikam').deliveries.accept(aRun('1'), Date.now());
  if (accepted.kind === 'conflict') throw new Error('it was not accepted');
  const { id } = accepted.delivery;
  for (const which of [[id], ['--device', 'device-1', '--run', 'run-1']]) {
    const explained = await run(['explain', ...which]);
    expect(explained.code).toBe(0);
    expect(explained.stdout).toContain(`Delivery ${id}`);
  }
  expect((await run(['explain', id, '--tenant', 'contoso'])).code).toBe(65);
}, 60_000);

test('a device · is revoked in the tenant that is named · and in none without a name', async () => {
  const unnamed = await run(['device', 'revoke', 'LAPTOP-1']);
  expect(unnamed).toMatchObject({ code: 65, stderr: expect.stringContaining('say which tenant') as string });
  expect((await run(['device', 'revoke', 'LAPTOP-1', '--tenant', 'contoso'])).code).toBe(0);
  const report = (tenant: string) =>
    run(
      [
        'report',
        '--device-id',
        'LAPTOP-1',
        '--device-name',
        'LAPTOP-1',
        '--policy-version',
        '1',
        '--tenant',
        tenant,
      ].concat(['--configuration', '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81', '--exit-code', '0']),
      { DEVICE_KEY: deriveDeviceKey(keyOf(tenant), 'LAPTOP-1').toString('base64') },
    );
  expect((await report('fabrikam')).code).toBe(0);
  expect((await report('contoso')).code).toBe(65);
  expect((await of('fabrikam').deliveries.counts()).queued).toBe(1);
}, 60_000);

test('the status · is of all · or of one', async () => {
  const ids = async (...more: string[]) => {
    const { stdout } = await run(['status', '--json', ...more]);
    return (JSON.parse(stdout) as { status: { tenants: { id: string }[] } }).status.tenants.map(({ id }) => id);
  };
  expect((await ids()).toSorted()).toEqual(IDS);
  expect(await ids('--tenant', 'fabrikam')).toEqual(['fabrikam']);
}, 60_000);
