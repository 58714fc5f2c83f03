// Asking Graph about a device over HTTPS: what is sent, and what every answer is taken for.
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DirectoryAnswer } from '../../src/domain/directory/directory-answer.ts';
import { toKeyDigest } from '../../src/domain/directory/directory-device.ts';
import { createDeviceClient, type DeviceClient } from '../../src/graph/devices.ts';
import { directoryKeyOf } from '../support/directory.ts';
import { freePort } from '../support/free-port.ts';
import { startGraph, type Ended, type GraphWorld } from '../support/graph.ts';
import { startRawGraph } from '../support/raw-graph.ts';

type Raw = Awaited<ReturnType<typeof startRawGraph>>;

const DEVICE_ID = randomUUID();
const { signal } = new AbortController();
let graph: GraphWorld;
let raw: Raw;
let ended: Ended[] = [];
const opened: DeviceClient[] = [];
/** The answer of the raw Graph to the next requests. */
let answer: (response: ServerResponse) => void = (response) => response.end();

beforeAll(async () => {
  graph = await startGraph({ sandbox: { roles: ['Device.Read.All'] } });
  raw = await startRawGraph((response) => answer(response));
});
beforeEach(() => {
  graph.sandbox.reset();
  graph.sandbox.set({ roles: ['Device.Read.All'] });
  raw.seen.length = 0;
  ended = [];
});
afterAll(async () => {
  for (const client of opened) await client.close();
  await raw[Symbol.asyncDispose]();
  await graph[Symbol.asyncDispose]();
});

function open(baseUrl: string, attemptTimeoutMs = 5000): DeviceClient {
  const client = createDeviceClient({
    config: { ...graph.config, baseUrl, attemptTimeoutMs },
    tokens: graph.tokens,
    clock: Date.now,
    ended: (request) => ended.push(request),
  });
  opened.push(client);
  return client;
}
const ask = (deviceId: string) => open(graph.config.baseUrl).find(deviceId, signal);

async function askRaw(status: number, headers: Record<string, string>, body: string): Promise<DirectoryAnswer> {
  answer = (response) => response.writeHead(status, headers).end(body);
  return open(`${raw.origin}/beta`).find(DEVICE_ID, signal);
}

const failed = { kind: 'failed', detail: expect.any(String) as string };
const held = (reason: string) => ({ kind: 'held', reason, detail: expect.any(String) as string });
const throttled = (retryAfterMs: unknown) => ({
  kind: 'throttled',
  retryAfterMs,
  detail: expect.any(String) as string,
});

describe('a device of the sandbox', () => {
  test('that is there · is found · with its keys', async () => {
    const { deviceId, certificatePem } = await graph.sandbox.directory.join({ isManaged: false });
    const keys = [toKeyDigest(directoryKeyOf(certificatePem))];
    expect(await ask(deviceId)).toEqual({
      kind: 'found',
      device: { isEnabled: true, isManaged: false, keys },
      pauseMs: 0,
    });
    expect(ended).toMatchObject([{ operation: 'device', status: 200 }]);
  });

  test('that is not there · is not found', async () => {
    expect(await ask(DEVICE_ID)).toEqual({ kind: 'not-found', pauseMs: 0 });
  });

  test('asked for without the permission · holds all · and again with a new token once it is granted', async () => {
    const { deviceId } = await graph.sandbox.directory.join();
    graph.sandbox.set({ permission: 'taken-away' });
    expect(await ask(deviceId)).toEqual(held('refused'));
    graph.sandbox.set({ permission: 'granted' });
    expect(await ask(deviceId)).toMatchObject({ kind: 'found' });
  });

  test.each([
    ['next device: 401', 'found', 2],
    ['next 2 device: 401', 'held', 2],
    ['next device: 429 with Retry-After 2', 'throttled', 1],
    ['next device: 500', 'failed', 1],
    ['next device: reset', 'failed', 1],
  ])('%s · is %s · after %d requests', async (fault, kind, requests) => {
    const { deviceId } = await graph.sandbox.directory.join();
    graph.sandbox.script(fault);
    expect((await ask(deviceId)).kind).toBe(kind);
    expect(ended).toHaveLength(requests);
  });
});

test('a question · names the members that are read · at Graph’s root in its version 1.0', async () => {
  await askRaw(200, {}, '{}');
  expect(raw.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    `GET /v1.0/devices(deviceId='${DEVICE_ID}')?$select=deviceId,accountEnabled,isManaged,trustType,alternativeSecurityIds`,
  ]);
  expect(raw.seen[0]?.headers.authorization).toMatch(/^Bearer eyJ/);
});

test('an id that is no GUID · is never sent', async () => {
  for (const deviceId of ["x')/../users", DEVICE_ID.toUpperCase(), '']) {
    await expect(ask(deviceId)).rejects.toThrow('no GUID');
  }
  expect(graph.sandbox.requests().filter(({ operation }) => operation === 'device')).toEqual([]);
});

describe('an answer', () => {
  const device = (members: object = {}) => JSON.stringify({ deviceId: DEVICE_ID, ...members });
  const error = (code: string) => JSON.stringify({ error: { code, message: 'words' } });
  const FROM_GRAPH = { 'request-id': randomUUID() };
  const HTML = { 'content-type': 'text/html' };
  const found = (changes: object = {}) => ({
    kind: 'found',
    device: { isEnabled: false, isManaged: false, keys: [] },
    pauseMs: 0,
    ...changes,
  });
  const percentage = (share: string) => ({ 'x-ms-throttle-limit-percentage': share });

  test.each<[string, number, Record<string, string>, string, unknown]>([
    ['of a bare device', 200, {}, device(), found()],
    ['with its id in upper case', 200, {}, device({ deviceId: DEVICE_ID.toUpperCase() }), found()],
    ['with malformed members', 200, {}, device({ accountEnabled: 'true', alternativeSecurityIds: {} }), found()],
    ['with a byte order mark', 200, {}, `\ufeff${device()}`, found()],
    ['near the limit', 200, percentage('0.8'), device(), found({ pauseMs: 200 })],
    ['over the limit', 200, percentage('1.2'), device(), found({ pauseMs: 1000 })],
    ['below the limit', 200, percentage('0.79'), device(), found()],
    ['with a limit that is no number', 200, percentage('much'), device(), found()],
    ['of another device', 200, {}, device({ deviceId: randomUUID() }), failed],
    ['of no device', 200, {}, '{}', failed],
    ['of a list', 200, {}, `[${device()}]`, failed],
    ['of null', 200, {}, 'null', failed],
    ['that breaks off', 200, {}, device().slice(0, -2), failed],
    ['of a sign-in page', 200, HTML, '<html>', failed],
    ['of 2 MB', 200, {}, device({ more: 'x'.repeat(2_000_000) }), failed],
    ['that is empty', 204, {}, '', failed],
    [
      'that the device is not there',
      404,
      FROM_GRAPH,
      error('Request_ResourceNotFound'),
      { kind: 'not-found', pauseMs: 0 },
    ],
    ['of 404 for another reason', 404, FROM_GRAPH, error('ResourceNotFound'), failed],
    ['of 404 without a reason', 404, FROM_GRAPH, '', failed],
    ['of a gateway’s 404', 404, HTML, '<html>Request_ResourceNotFound', failed],
    ['of a redirect', 302, { location: 'https://elsewhere.invalid' }, '', failed],
    ['of 400', 400, FROM_GRAPH, error('Request_BadRequest'), failed],
    ['of 403', 403, FROM_GRAPH, error('Authorization_RequestDenied'), held('refused')],
    ['of a gateway’s 403', 403, HTML, '<html>', failed],
    ['of 429 with a wait', 429, { ...FROM_GRAPH, 'retry-after': '17' }, error('TooManyRequests'), throttled(17_000)],
    ['of 429 without one', 429, FROM_GRAPH, error('TooManyRequests'), throttled(null)],
    ['of 503 with a wait', 503, { ...FROM_GRAPH, 'retry-after': '3' }, '', throttled(3000)],
    ['of 503 without one', 503, FROM_GRAPH, '', failed],
    ['of 500', 500, FROM_GRAPH, error('InternalServerError'), failed],
    ['of 500 in 2 MB', 500, FROM_GRAPH, 'x'.repeat(2_000_000), failed],
  ])('%s · %d · is taken for what it is', async (_what, status, headers, body, expected) => {
    expect(await askRaw(status, headers, body)).toEqual(expected);
    expect(raw.seen).toHaveLength(1);
  });

  test('of 401 to a new token, too · holds all · after two requests', async () => {
    expect(await askRaw(401, FROM_GRAPH, error('InvalidAuthenticationToken'))).toEqual(held('refused'));
    expect(raw.seen).toHaveLength(2);
  });

  test('that never comes · ends at the deadline', async () => {
    answer = () => undefined;
    expect(await open(`${raw.origin}/beta`, 200).find(DEVICE_ID, signal)).toEqual(failed);
  });

  test('from nobody · holds all', async () => {
    const away = open(`https://localhost:${await freePort()}/beta`);
    expect(await away.find(DEVICE_ID, signal)).toEqual(held('unavailable'));
  });
});
