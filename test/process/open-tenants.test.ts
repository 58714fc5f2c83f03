// The open tenants of a process while they change: none is forgotten, whenever opening fails or the process ends.
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { toEnvironmentTenant, type TenantConfig } from '../../src/config/tenants/tenant.ts';
import { createOpenTenants } from '../../src/process/open-tenants.ts';

const ENVIRONMENT = toEnvironmentTenant(parseConfig({ TENANTS_FILE: '/nowhere' }, 'worker'));
const config = (id: string, isPaused = false): TenantConfig => ({ ...ENVIRONMENT, id, isPaused });

function createWorld() {
  const live = new Set<object>();
  const failed: string[] = [];
  const refuse = new Set<string>();
  let gate: Promise<null> | null = null;
  let closing: Promise<null> | null = null;
  const tenants = createOpenTenants({
    open: async ({ id }) => {
      await gate;
      if (refuse.has(id)) throw new Error('it cannot be opened');
      const tenant = {
        id,
        stop: () => undefined,
        close: async () => {
          await closing;
          live.delete(tenant);
        },
      };
      live.add(tenant);
      return tenant;
    },
    onFailed: (_error, id) => failed.push(id),
  });
  const hold = (what: 'opening' | 'closing') => {
    const { promise, resolve } = Promise.withResolvers<null>();
    if (what === 'opening') gate = promise;
    else closing = promise;
    return () => resolve(null);
  };
  return { tenants, live, failed, refuse, hold };
}

test('a tenant that is being opened as the process ends · is closed with the others', async () => {
  const { tenants, live, hold } = createWorld();
  await tenants.open([config('a')]);
  const release = hold('opening');
  const applied = tenants.apply([config('a', true), config('b')]);
  const closed = tenants.close();
  release();
  await Promise.all([applied, closed]);
  expect(live.size).toBe(0);
});

test('what a change closes · delays no other change · but the end of the process', async () => {
  const { tenants, live, hold } = createWorld();
  await tenants.open([config('a'), config('b')]);
  const release = hold('closing');
  await tenants.apply([config('b', true), config('c')]);
  expect(tenants.all().map(({ id }) => id)).toEqual(['b', 'c']);
  expect(live.size).toBe(4);
  const closed = tenants.close();
  release();
  await closed;
  expect(live.size).toBe(0);
});

test('a tenant that cannot be opened · stays as it was, is named · and is opened when that is possible', async () => {
  const { tenants, failed, refuse } = createWorld();
  await tenants.open([config('a')]);
  const before = tenants.find('a');
  refuse.add('a').add('b');
  expect(await tenants.apply([config('a', true), config('b'), config('c')])).toEqual(['a', 'b']);
  expect(failed).toEqual(['a', 'b']);
  expect(tenants.find('a')).toBe(before);
  expect(tenants.find('c')).not.toBeNull();
  refuse.clear();
  expect(await tenants.apply([config('a', true), config('b'), config('c')])).toEqual([]);
  expect(tenants.find('b')).not.toBeNull();
});

test('one that cannot be opened at the start · leaves none open', async () => {
  const { tenants, live, refuse } = createWorld();
  refuse.add('a');
  await expect(tenants.open([config('a'), config('b')])).rejects.toThrow('it cannot be opened');
  expect(live.size).toBe(0);
});
