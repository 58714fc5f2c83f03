// Misbehaviour on the wire: what the caller sees, what was stored all the same, and what the log says.
import { beforeEach, describe, expect, test } from 'vitest';

import { createSandbox } from '../../../src/sandbox/sandbox.ts';
import type { RequestRecord } from '../../../src/sandbox/records.ts';
import { createClient, failureOf } from '../client.ts';
import { openSandbox } from '../opened.ts';

const { sandbox, client } = await openSandbox();
beforeEach(() => client.signIn());

const nextLogged = () =>
  new Promise<RequestRecord>((resolve) => {
    const stop = sandbox.subscribe((request) => {
      stop();
      resolve(request);
    });
  });

describe('a scripted answer', () => {
  test('504 after the write, 429 with a wait, 201 · come in this order · and two creates are stored', async () => {
    sandbox.script('next 3 creates: 504 after the write, 429 with Retry-After 1.5, 201');
    const answers = [await client.create(), await client.create(), await client.create()];
    expect(answers.map(({ status }) => status)).toEqual([504, 429, 201]);
    expect(answers.map(({ headers }) => headers.get('retry-after'))).toEqual([null, '1.5', null]);
    expect(sandbox.records()).toHaveLength(2);
    expect(sandbox.duplicates()).toHaveLength(1);
    expect(sandbox.requests().slice(-3)).toMatchObject([
      { operation: 'create', status: 504, effect: 'applied', fault: '504 after the write' },
      { operation: 'create', status: 429, effect: 'none', fault: '429 with Retry-After 1.5' },
      { operation: 'create', status: 201, effect: 'applied', fault: null },
    ]);
  });

  test('for lists · leaves creates alone · and waits for the next list', async () => {
    sandbox.script('next 2 lists: 503');
    expect((await client.create()).status).toBe(201);
    expect([(await client.list()).status, (await client.list()).status, (await client.list()).status]).toEqual([
      503, 503, 200,
    ]);
  });

  test('after a write that Graph refuses · does not hide the refusal · since nothing was written', async () => {
    sandbox.script('next create: 504 after the write');
    expect((await client.create({ id: 'x' })).status).toBe(400);
  });

  test.each([
    ['503 as html', 'text/html', /^<!DOCTYPE html>/],
    ['502 as nothing', null, /^$/],
    ['500 as invalid json', 'application/json', /^\{"error":\{"code":"Internal$/],
    ['504 as empty code', 'application/json; charset=utf-8', /"code":"","message":""/],
    ['400 as intune', 'application/json; charset=utf-8', /\\"_version\\":3.*Activity ID/],
  ])('%s · has that body · under its content type', async (fault, contentType, body) => {
    sandbox.script(`next create: ${fault}`);
    const response = await client.create();
    expect([response.status, response.headers.get('content-type')]).toEqual([Number(fault.slice(0, 3)), contentType]);
    expect(await response.text()).toMatch(body);
  });

  test.each([
    ['date 30', /GMT$/],
    ['garbage', /^soon$/],
    ['huge', /^99999999$/],
  ])('429 with Retry-After %s · has that value · in the header', async (wait, header) => {
    sandbox.script(`next create: 429 with Retry-After ${wait}`);
    expect((await client.create()).headers.get('retry-after')).toMatch(header);
  });

  test('401 with claims · carries the challenge · as continuous access evaluation does', async () => {
    sandbox.script('next create: 401 with claims');
    expect((await client.create()).headers.get('www-authenticate')).toMatch(/error="insufficient_claims", claims="/);
  });
});

describe('a connection', () => {
  test.each([
    ['reset', 0, 'none'],
    ['reset after the write', 1, 'applied'],
  ])('%s · fails with ECONNRESET · with so many records stored: %d', async (fault, stored, effect) => {
    sandbox.script(`next create: ${fault}`);
    expect(await failureOf(client.create())).toBe('ECONNRESET');
    expect(sandbox.records()).toHaveLength(stored);
    expect(sandbox.requests().at(-1)).toMatchObject({ status: 'reset', effect, fault });
  });

  test.each([
    ['hang', 0],
    ['hang after the write', 1],
  ])('%s · is never answered · with so many records stored: %d', async (fault, stored) => {
    sandbox.script(`next create: ${fault}`);
    const leaving = new AbortController();
    const hung = nextLogged();
    const answer = failureOf(
      client.create({}, { headers: { 'content-type': 'application/json' }, signal: leaving.signal }),
    );
    expect(await hung).toMatchObject({ status: 'hang' });
    const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 100, 'still waiting'))]);
    expect(first).toBe('still waiting');
    leaving.abort();
    expect(await answer).toContain('abort');
    expect(sandbox.records()).toHaveLength(stored);
  });

  test('cut off in the middle · gives headers and half a body · after the record was stored', async () => {
    sandbox.script('next create: truncated');
    const response = await client.create();
    expect(response.status).toBe(201);
    expect(await failureOf(response.text())).not.toBe('none');
    expect(sandbox.records()).toHaveLength(1);
  });

  test('dripping · ends with the whole body · after two seconds', async () => {
    sandbox.script('next create: slow');
    const startedAtMs = performance.now();
    const body = (await (await client.create()).json()) as { deviceName: string };
    expect(body.deviceName).toBe('BER-DEL-00001');
    expect(performance.now() - startedAtMs).toBeGreaterThan(1500);
  });

  test('with a latency · is answered no sooner · and with the true result', async () => {
    sandbox.script('next create: 201 in 120 ms');
    const startedAtMs = performance.now();
    expect((await client.create()).status).toBe(201);
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(119);
  });
});

describe('a lasting mode', () => {
  test('Graph down · resets every Graph connection and keeps the script · until it is up again', async () => {
    sandbox.script('next create: 503');
    sandbox.set({ graph: 'down' });
    expect(await failureOf(client.create())).toBe('ECONNRESET');
    expect((await client.askForToken()).status).toBe(200);
    sandbox.set({ graph: 'up' });
    expect([(await client.create()).status, (await client.create()).status]).toEqual([503, 201]);
  });

  test('the token endpoint down · resets only that · until it is up again', async () => {
    sandbox.set({ tokenEndpoint: 'down' });
    expect(await failureOf(client.askForToken())).toBe('ECONNRESET');
    expect((await client.create()).status).toBe(201);
    sandbox.set({ tokenEndpoint: 'up' });
    expect((await client.askForToken()).status).toBe(200);
  });

  test('random faults at rate 1 · meet every create · until the rates are taken back', async () => {
    sandbox.set({ faults: { creates: { '502 after the write': 1 } } });
    expect([(await client.create()).status, (await client.create()).status]).toEqual([502, 502]);
    sandbox.set({ faults: {} });
    expect((await client.create()).status).toBe(201);
    expect(sandbox.stats()).toMatchObject({ createsApplied: 3, faultsGiven: 2, byStatus: { 201: 1, 502: 2 } });
  });
});

describe('the log', () => {
  test('of a create · never shows a credential · nor do the token requests', async () => {
    await client.create();
    const shown = JSON.stringify(sandbox.requests());
    expect(shown).toContain('deviceRunStates');
    expect(shown).not.toMatch(/Bearer|eyJ|sandbox~only/);
  });

  test('of reused and missing client-request-ids · counts both · as lint', async () => {
    const plain = { 'content-type': 'application/json' };
    await client.create({}, { headers: { ...plain, 'client-request-id': 'same' } });
    await client.create({}, { headers: { ...plain, 'client-request-id': 'same' } });
    expect(sandbox.stats()).toMatchObject({ reusedClientRequestId: 1, missingClientRequestId: 0 });
  });

  test('with a memory of three · keeps the last three · oldest first', async () => {
    const small = await createSandbox({ mostRequestsRemembered: 3 });
    const smallClient = createClient(small);
    for (const name of ['A', 'B', 'C', 'D']) await smallClient.call(`/${name}`);
    expect(small.requests().map(({ path }) => path.at(-1))).toEqual(['B', 'C', 'D']);
    await smallClient.close();
    await small.close();
  });
});
