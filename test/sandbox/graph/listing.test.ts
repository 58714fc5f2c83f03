// Lists of run states over TLS: order, filter, pages that new records cannot shift, and lag.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createSandbox } from '../../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../../src/sandbox/sandbox.ts';
import { createClient, withClient } from '../client.ts';
import type { Client } from '../client.ts';

type PageBody = { value: { deviceName: string }[]; '@odata.nextLink'?: string };

let sandbox: Sandbox;
let client: Client;
beforeAll(async () => {
  sandbox = await createSandbox({ pageSize: 2 });
  client = createClient(sandbox);
});
afterAll(async () => {
  await client.close();
  await sandbox.close();
});
beforeEach(() => sandbox.reset());

async function read(path: string): Promise<PageBody> {
  return (await (await client.call(path)).json()) as PageBody;
}

async function readAll(query: string, onPage: () => Promise<unknown> = () => Promise.resolve()): Promise<string[]> {
  const names: string[] = [];
  let next: string | undefined = client.statesPath() + query;
  while (next !== undefined) {
    const page: PageBody = await read(next);
    names.push(...page.value.map(({ deviceName }) => deviceName));
    next = page['@odata.nextLink'];
    await onPage();
  }
  return names;
}

/** Five devices, whose instants are in another order than their arrival. */
async function createFive(): Promise<void> {
  for (const [index, second] of [30, 10, 50, 20, 40].entries()) {
    await client.create({ deviceName: `D${index}`, lastStateUpdateDateTime: `2026-11-20T10:00:${second}Z` });
  }
}

describe('a list', () => {
  test('without a query · goes from page to page · oldest first, whatever the instants', async () => {
    await createFive();
    expect(await readAll('')).toEqual(['D0', 'D1', 'D2', 'D3', 'D4']);
  });

  test('ordered by the last update · goes from page to page · newest instant first', async () => {
    await createFive();
    expect(await readAll('?$orderby=lastStateUpdateDateTime desc')).toEqual(['D2', 'D4', 'D0', 'D3', 'D1']);
  });

  test('newest first with new records in between · repeats and loses nothing · as a skip count would', async () => {
    await createFive();
    let created = 0;
    const createNewer = () =>
      client.create({ deviceName: `N${created++}`, lastStateUpdateDateTime: '2026-11-21T00:00:00Z' });
    expect(await readAll('?$orderby=lastStateUpdateDateTime desc', createNewer)).toEqual([
      'D2',
      'D4',
      'D0',
      'D3',
      'D1',
    ]);
  });

  test('with $top · has pages of that size · up to Graph’s own', async () => {
    await createFive();
    expect((await read(`${client.statesPath()}?$top=1`)).value).toHaveLength(1);
    expect((await read(`${client.statesPath()}?$top=100`)).value).toHaveLength(2);
  });

  test('the newest record deleted between pages · leaves the rest · each once', async () => {
    await createFive();
    const [first] = (await read(`${client.statesPath()}?$top=1`)).value as { id?: string }[];
    const remove = () => client.call(`${client.statesPath()}/${first?.id ?? ''}`, { method: 'DELETE' });
    expect(await readAll('', remove)).toEqual(['D0', 'D1', 'D2', 'D3', 'D4']);
  });

  test.each([
    ["deviceName eq 'D1'", ['D1']],
    ["deviceName eq 'O''Brien'", ["O'Brien"]],
    ["deviceName eq 'D1' and internalVersion eq 4 and configurationState eq 'success'", ['D1']],
    ["deviceName eq 'D1' and internalVersion eq 5", []],
    ["configurationState eq 'fail'", ["O'Brien"]],
    ["deviceName eq 'nobody'", []],
  ])('filtered by %s · has what satisfies it · and nothing else', async (filter, names) => {
    await createFive();
    await client.create({ deviceName: "O'Brien", configurationState: 'fail' });
    expect(await readAll(`?$filter=${encodeURIComponent(filter)}`)).toEqual(names);
  });

  test.each([
    "?$filter=startswith(deviceName,'D')",
    "?$filter=deviceName eq 'D1' or internalVersion eq 4",
    "?$filter=deviceName eq 'D1' and ",
    "?$filter=internalVersion eq '4'",
    '?$orderby=deviceName',
    '?$skip=2',
    '?$top=0',
    '?$skiptoken=abc',
  ])('with %s · is refused with 400 · in the envelope', async (query) => {
    const response = await client.list(query);
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'BadRequest' } }]);
  });

  test.each(['400', '500', '501'] as const)(
    'where filters are not supported · is refused with %s · and works without',
    async (status) => {
      sandbox.set({ filterSupport: status });
      expect((await client.list("?$filter=deviceName eq 'D1'")).status).toBe(Number(status));
      expect((await client.list()).status).toBe(200);
    },
  );

  test('where filters find nothing · is answered 200 and empty · whatever there is', async () => {
    await createFive();
    sandbox.set({ filterSupport: 'finds-nothing' });
    expect(await readAll("?$filter=deviceName eq 'D1'")).toEqual([]);
    expect(await readAll('')).toContain('D1');
  });
});

test('a new record · stays out of lists until the lag has passed · but can be read by its id', async () => {
  let nowMs = Date.parse('2026-11-20T08:00:00Z');
  await using world = await withClient(await createSandbox({ listLagMs: 3000, now: () => nowMs }));
  const { id } = (await (await world.client.create()).json()) as { id: string };
  const count = async () => ((await (await world.client.list()).json()) as PageBody).value.length;
  nowMs += 2999;
  expect(await count()).toBe(0);
  expect((await world.client.call(`${world.client.statesPath()}/${id}`)).status).toBe(200);
  nowMs += 1;
  expect(await count()).toBe(1);
});
