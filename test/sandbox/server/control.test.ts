// The control routes, as curl would use them.
import { readFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';
import { openSandbox } from '../opened.ts';

const { sandbox, client } = await openSandbox();

const post = (path: string, body: string) => client.control(path, { method: 'POST', body });
const read = async (path: string) => (await (await client.control(path)).json()) as Record<string, unknown>;

describe('the control listener', () => {
  test('asked for its index · explains every route · in plain words', async () => {
    const text = await (await client.control('/')).text();
    const routes = [
      '/stats',
      '/records',
      '/duplicates',
      '/requests',
      '/script',
      '/set',
      '/reset',
      '/ca.pem',
      '/environment',
    ];
    for (const route of routes) expect(text).toContain(route);
  });

  test('asked for the environment · answers what a bridge needs · and nothing else', async () => {
    const text = await (await client.control('/environment')).text();
    expect(text.trim().split('\n').sort()).toEqual([
      `AZURE_AUTHORITY_HOST=${sandbox.authorityHost}`,
      `AZURE_CLIENT_ID=${sandbox.clientId}`,
      `AZURE_CLIENT_SECRET=${sandbox.clientSecret}`,
      `AZURE_TENANT_ID=${sandbox.tenantId}`,
      `GRAPH_BASE_URL=${sandbox.graphBaseUrl}`,
      `NODE_EXTRA_CA_CERTS=${sandbox.caPath}`,
    ]);
    expect(await (await client.control('/ca.pem')).text()).toBe(await readFile(sandbox.caPath, 'utf8'));
  });

  test('given a script · answers 204 · and the next create meets it', async () => {
    expect((await post('/script', 'next 1 create: 504 after the write')).status).toBe(204);
    expect((await client.create()).status).toBe(504);
  });

  test('given a script that cannot be parsed · answers 400 with the reason · and changes nothing', async () => {
    const response = await post('/script', 'next 1 frog: 504');
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('"frog" names no requests'),
    ]);
    expect(sandbox.stats().scriptRemaining).toBe(0);
  });

  test.each([
    ['an unknown name', '{"permissions":"granted"}', 'permissions'],
    ['a wrong value', '{"graph":"sideways"}', 'graph'],
    ['no JSON', 'graph=down', 'not JSON'],
    ['a bad fault', '{"graph":"down","faults":{"creates":{"explode":1}}}', 'explode'],
  ])('given changes with %s · answers 400 with the reason · and changes nothing', async (_case, body, reason) => {
    const response = await post('/set', body);
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining(reason)]);
    expect((await client.create()).status).toBe(201);
  });

  test('given changes · makes them · and reset takes them back with everything else', async () => {
    expect((await post('/set', '{"limiter":{"writesPer20s":1},"filterSupport":"501"}')).status).toBe(204);
    expect([(await client.create()).status, (await client.create()).status]).toEqual([201, 429]);
    expect((await post('/reset', '')).status).toBe(204);
    expect([(await client.create()).status, (await client.create()).status]).toEqual([201, 201]);
    expect(await read('/stats')).toMatchObject({ createsApplied: 2, records: 2, duplicates: 1 });
  });

  test('asked for records · answers those of one device · at most as many as asked for, newest first', async () => {
    for (const internalVersion of [1, 2, 3]) await client.create({ internalVersion });
    await client.create({ deviceName: 'other' });
    const query = `?deviceName=BER-DEL-00001&configurationId=${sandbox.configurationIds[0]?.toUpperCase() ?? ''}&limit=2`;
    expect(await read(`/records${query}`)).toMatchObject({ records: [{ internalVersion: 2 }, { internalVersion: 3 }] });
    expect(await read(`/records?configurationId=${sandbox.configurationIds[1] ?? ''}`)).toEqual({ records: [] });
    expect(await read('/duplicates')).toEqual({ duplicates: [] });
    expect(await read('/requests?limit=1')).toMatchObject({ requests: [{ operation: 'create', status: 201 }] });
  });

  test('asked for anything else · answers 404 · and says where to look', async () => {
    const response = await client.control('/records/1');
    expect([response.status, await response.text()]).toEqual([404, 'Nothing here. GET / lists what there is.\n']);
  });
});
