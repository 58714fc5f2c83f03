// Graph's side of the sandbox, called over TLS: what it accepts, what it refuses, and what it stores.
import { beforeEach, describe, expect, test } from 'vitest';

import { createSandbox } from '../../../src/sandbox/sandbox.ts';
import { acceptable, withClient } from '../client.ts';
import { openSandbox } from '../opened.ts';

type ErrorBody = { error: { code: string; message: string; innerError: Record<string, string> } };

const { sandbox, client } = await openSandbox();
beforeEach(() => client.signIn());

describe('a create', () => {
  test('with what a bridge sends · is answered 201 with the whole object · and stored once', async () => {
    const response = await client.create();
    const body = (await response.json()) as Record<string, unknown>;
    expect(response.status).toBe(201);
    expect(body).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      deviceName: 'BER-DEL-00001',
      osVersion: null,
      upn: null,
      internalVersion: 4,
      lastStateUpdateDateTime: '2026-11-20T09:00:00.12345Z',
      configurationState: 'success',
      configurationOutput: 'Änderungen übernommen',
      configurationError: null,
      assignmentFilterIds: null,
      userId: null,
    });
    expect(sandbox.records()).toMatchObject([{ id: body['id'], configurationId: sandbox.configurationIds[0] }]);
  });

  test('with a client-request-id · is answered with it · and with ids of its own', async () => {
    const response = await client.create(
      {},
      { headers: { 'content-type': 'application/json', 'client-request-id': 'mine' } },
    );
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'client-request-id': 'mine',
      'request-id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      'x-ms-ags-diagnostic': expect.stringContaining('ServerInfo') as string,
      date: expect.stringMatching(/GMT$/) as string,
    });
    expect(sandbox.requests().at(-1)).toMatchObject({
      clientRequestId: 'mine',
      effect: 'applied',
      status: 201,
      fault: null,
    });
  });

  test.each([
    ['a read-only id', { id: '11111111-2222-3333-4444-555555555555' }, "'id' is read-only"],
    ['a read-only userId', { userId: null }, "'userId' is read-only"],
    ['read-only filter ids', { assignmentFilterIds: '' }, "'assignmentFilterIds' is read-only"],
    ['an unknown member', { exitCode: 0 }, "'exitCode' does not exist"],
    ['a member of Object', { constructor: 1 }, "'constructor' does not exist"],
    ['a version as text', { internalVersion: '4' }, "'internalVersion'"],
    ['a version beyond Int32', { internalVersion: 2 ** 31 }, "'internalVersion'"],
    ['a broken version', { internalVersion: 1.5 }, "'internalVersion'"],
    ['an old state', { configurationState: 'error' }, "'configurationState'"],
    ['no state', { configurationState: undefined }, "'configurationState' is required"],
    ['a date without offset', { lastStateUpdateDateTime: '2026-11-20T10:00:00' }, "'lastStateUpdateDateTime'"],
    [
      'eight fraction digits',
      { lastStateUpdateDateTime: '2026-11-20T10:00:00.12345678Z' },
      "'lastStateUpdateDateTime'",
    ],
    ['a wrong type', { '@odata.type': '#microsoft.graph.hardwareConfiguration' }, "'@odata.type'"],
    ['a name that is a number', { deviceName: 7 }, "'deviceName'"],
  ])('with %s · is refused with 400 · stores nothing', async (_case, members, message) => {
    const response = await client.create(members);
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as ErrorBody;
    expect(error).toMatchObject({ code: 'BadRequest', message: expect.stringContaining(message) as string });
    expect(sandbox.records()).toEqual([]);
  });

  test.each([
    ['a list', '[]'],
    ['half an object', '{"deviceName":'],
    ['nothing', ''],
  ])('with %s as its body · is refused with 400 · stores nothing', async (_case, body) => {
    const response = await client.call(client.statesPath(), {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(400);
    expect(sandbox.records()).toEqual([]);
  });

  test('that is not JSON by its Content-Type · is refused with 415 · stores nothing', async () => {
    const response = await client.create({}, { headers: { 'content-type': 'text/plain' } });
    expect([response.status, sandbox.records()]).toEqual([415, []]);
  });

  test('above 4 MB · is refused with 413 · stores nothing', async () => {
    const response = await client.create({ configurationOutput: 'x'.repeat(4 * 1024 * 1024) });
    expect([response.status, sandbox.records()]).toEqual([413, []]);
  });

  test.each([
    ['an unknown configuration', '/0a0a0a0a-0000-4000-8000-000000000000/deviceRunStates', 404],
    ['no GUID', '/dell/deviceRunStates', 400],
    ['userRunStates', '/1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81/userRunStates', 404],
  ])('for %s · is refused · stores nothing', async (_case, path, status) => {
    const response = await client.send('POST', path, acceptable);
    expect([response.status, sandbox.records()]).toEqual([status, []]);
  });

  test('twice with equal content in other words · is stored twice · and counted as a duplicate', async () => {
    await client.create();
    await client.create({ lastStateUpdateDateTime: '2026-11-20T09:00:00.12345Z' });
    await client.create({ lastStateUpdateDateTime: '2026-11-20T09:00:00.1234501Z' });
    expect(sandbox.records()).toHaveLength(3);
    expect(sandbox.duplicates().map((group) => group.length)).toEqual([2]);
    expect(sandbox.stats()).toMatchObject({ createsApplied: 3, duplicates: 1 });
  });
});

describe('a stored run state', () => {
  test('asked for under another configuration · is not found · nor changed', async () => {
    const { id } = (await (await client.create()).json()) as { id: string };
    const elsewhere = `${client.statesPath(sandbox.configurationIds[1])}/${id}`;
    expect((await client.call(elsewhere)).status).toBe(404);
    expect((await client.call(elsewhere, { method: 'DELETE' })).status).toBe(404);
    expect(sandbox.records()).toHaveLength(1);
  });

  test('that is one of two duplicates · once deleted · leaves none', async () => {
    const { id } = (await (await client.create()).json()) as { id: string };
    await client.create();
    expect(sandbox.stats().duplicates).toBe(1);
    await client.call(`${client.statesPath()}/${id}`, { method: 'DELETE' });
    expect([sandbox.duplicates(), sandbox.stats().duplicates]).toEqual([[], 0]);
  });

  test('can be read, changed and deleted · each answered as documented · and is gone at the end', async () => {
    const { id } = (await (await client.create()).json()) as { id: string };
    const path = `${client.statesPath()}/${id}`;
    expect(await (await client.call(path)).json()).toMatchObject({ id, configurationState: 'success' });
    const changed = await client.send('PATCH', path, { configurationState: 'fail' });
    expect([changed.status, await changed.json()]).toMatchObject([
      200,
      { id, configurationState: 'fail', internalVersion: 4 },
    ]);
    expect((await client.send('PATCH', path, { userId: 'x' })).status).toBe(400);
    expect((await client.call(path, { method: 'DELETE' })).status).toBe(204);
    expect((await client.call(path)).status).toBe(404);
    expect(sandbox.records()).toEqual([]);
  });

  test('of each device the newest · makes up the run summary · by device and user', async () => {
    await client.create({ upn: 'a@contoso.example', configurationState: 'fail' });
    await client.create({ upn: 'a@contoso.example', lastStateUpdateDateTime: '2026-11-20T10:00:01Z' });
    await client.create({ deviceName: 'BER-DEL-00002', configurationState: 'scriptError' });
    const summary = await (await client.call(`/${sandbox.configurationIds[0] ?? ''}/runSummary`)).json();
    expect(summary).toMatchObject({
      successfulDeviceCount: 1,
      failedDeviceCount: 0,
      errorDeviceCount: 1,
      successfulUserCount: 1,
      lastRunDateTime: '2026-11-20T10:00:01Z',
    });
  });
});

describe('a caller', () => {
  test.each([
    ['no token', ''],
    ['no JWT', 'Bearer abc'],
  ])('with %s · is answered 401 with a challenge · stores nothing', async (_case, authorization) => {
    const response = await client.create({}, { headers: { authorization, 'content-type': 'application/json' } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('authorization_uri');
    expect(((await response.json()) as ErrorBody).error.code).toBe('InvalidAuthenticationToken');
    expect(sandbox.records()).toEqual([]);
  });

  test('with a token of another sandbox · is answered 401 · since the signature is not ours', async () => {
    await using other = await withClient(await createSandbox());
    const { access_token } = (await (await other.client.askForToken()).json()) as { access_token: string };
    const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' };
    expect((await client.create({}, { headers })).status).toBe(401);
  });

  test('whose permission is taken away · is answered 403 · also later, until it has a new token', async () => {
    sandbox.set({ permission: 'taken-away' });
    expect((await client.create()).status).toBe(403);
    await client.signIn();
    sandbox.set({ permission: 'granted' });
    expect((await client.create()).status).toBe(403);
    await client.signIn();
    expect((await client.create()).status).toBe(201);
  });

  test('who may only read · lists · but does not create', async () => {
    sandbox.set({ roles: ['DeviceManagementConfiguration.Read.All'] });
    await client.signIn();
    expect((await client.list()).status).toBe(200);
    expect((await client.create()).status).toBe(403);
  });

  test('whose tokens are revoked · is answered 401 · and can create with a new one', async () => {
    sandbox.set({ tokens: 'revoked' });
    const refused = await client.create();
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).not.toContain('claims=');
    await client.signIn();
    expect((await client.create()).status).toBe(201);
  });

  test('that understands claims challenges · gets one with the 401 · after a revocation', async () => {
    await client.signIn({ claims: '{"access_token":{"xms_cc":{"values":["cp1"]}}}' });
    sandbox.set({ tokens: 'revoked' });
    const challenge = (await client.create()).headers.get('www-authenticate') ?? '';
    const claims = /claims="([^"]+)"/.exec(challenge)?.[1] ?? '';
    expect(JSON.parse(Buffer.from(claims, 'base64').toString())).toHaveProperty('access_token.nbf.essential', true);
  });

  test('with a method the address does not have · is answered 405 · in the envelope', async () => {
    const response = await client.call(client.statesPath(), { method: 'PUT' });
    expect([response.status, ((await response.json()) as ErrorBody).error.code]).toEqual([405, 'MethodNotAllowed']);
  });

  test('under v1.0 · finds nothing · since this is beta only', async () => {
    const path = `${sandbox.authorityHost}/v1.0/deviceManagement/hardwareConfigurations`;
    expect((await client.call(path)).status).toBe(404);
  });
});

test('an expired token · is answered 401 · with the reason', async () => {
  let nowMs = Date.parse('2026-11-20T08:00:00Z');
  await using world = await withClient(await createSandbox({ now: () => nowMs, tokenLifetimeS: 60 }));
  expect((await world.client.create()).status).toBe(201);
  nowMs += 60_000;
  const response = await world.client.create();
  expect(response.status).toBe(401);
  expect(((await response.json()) as ErrorBody).error.message).toContain('expired');
});

test('the limit on writes · answers 429 as Intune does · and counts who calls early', async () => {
  let nowMs = Date.parse('2026-11-20T08:00:00Z');
  const limiter = { kind: 'fixed-window', writesPer20s: 2, retryAfter: 'fractional' } as const;
  await using world = await withClient(await createSandbox({ now: () => nowMs, limiter }));
  await world.client.create();
  await world.client.create();
  const refused = await world.client.create();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '20']);
  expect(await refused.json()).toMatchObject({ error: { code: 'TooManyRequests', message: 'An error has occurred.' } });
  nowMs += 50;
  expect((await world.client.create()).status).toBe(429);
  expect(world.sandbox.stats().calledEarly).toBe(0);
  nowMs += 4950;
  expect((await world.client.create()).headers.get('retry-after')).toBe('15');
  nowMs += 15_000;
  expect((await world.client.create()).status).toBe(201);
  const expected = {
    calledEarly: 1,
    answered429: 3,
    createsApplied: 3,
    share429: 0.5,
    writesInLast20s: 1,
    limitUtilisation: 0.5,
  };
  expect(world.sandbox.stats()).toMatchObject(expected);
});
