// The tenants file while it changes: nothing that was written last is missed, and what failed is tried again.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseConfig } from '../../../src/config/config.ts';
import type { TenantConfig } from '../../../src/config/tenants/tenant.ts';
import { watchTenants, type WatchedTenants } from '../../../src/config/tenants/watch.ts';
import { createTenantsFile, type TenantsFile } from '../../support/tenants-file.ts';
import { until } from '../../support/until.ts';

const keyOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');

let file: TenantsFile;
let watched: WatchedTenants;
let readings = 0;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  file = createTenantsFile();
  file.write([file.tenant('a', keyOf(1))]);
  readings = 0;
  watched = await watchTenants(parseConfig({ TENANTS_FILE: file.path }, 'api'), 'api', () => void (readings += 1));
});
afterEach(() => {
  watched.close();
  file.close();
  vi.useRealTimers();
});

/** Waits while a second passes each time it asks; `until` counts those too. */
const untilLater = (what: string, ask: () => boolean) =>
  until(
    what,
    () => {
      vi.advanceTimersByTime(1000);
      return ask();
    },
    1_000_000,
  );

const ids = (tenants: readonly TenantConfig[]) => tenants.map(({ id }) => id);

test('a change before anybody listens · is applied once somebody does', async () => {
  const opened = ids(watched.current());
  file.write([file.tenant('a', keyOf(1)), file.tenant('b', keyOf(2))]);
  await untilLater('the reading', () => readings === 1);
  const applied: string[][] = [];
  watched.onChange((tenants) => {
    applied.push(ids(tenants));
    return Promise.resolve([]);
  });
  expect(opened).toEqual(['a']);
  await untilLater('the change', () => applied.length > 0);
  expect(applied).toEqual([['a', 'b']]);
});

test('tenants that could not be opened · are named · and tried again without a change', async () => {
  let applied = 0;
  watched.onChange(() => {
    applied += 1;
    if (applied === 1) return Promise.reject(new Error('something else'));
    return Promise.resolve(applied === 2 ? ['b'] : []);
  });
  file.write([file.tenant('a', keyOf(1)), file.tenant('b', keyOf(2))]);
  await untilLater('its name', () => watched.unopened().join() === 'b');
  await untilLater('the next time', () => watched.unopened().length === 0);
  expect(applied).toBe(3);
  expect(readings).toBe(2);
});

test('a key that appears after the file that names it · is enough', async () => {
  const applied: string[][] = [];
  watched.onChange((tenants) => {
    applied.push(ids(tenants));
    return Promise.resolve([]);
  });
  const late = file.path.replace('tenants.yaml', 'late-key');
  file.write([file.tenant('b', keyOf(2), { devices: { groupKeyFiles: [late] } })]);
  await untilLater('its fault', () => watched.faults().length === 1);
  expect(ids(watched.current())).toEqual(['a']);
  file.file('late-key', keyOf(3));
  await untilLater('the tenant', () => applied.length > 0);
  expect(watched.faults()).toEqual([]);
  expect(applied).toEqual([['b']]);
});
