// The device client: its signature against a computation by hand, and what it makes of every kind of answer.
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readDelivery, submit } from '../../src/device/device-client.ts';
import { decideWaitMs, submitUntilAccepted } from '../../src/device/submit-with-retries.ts';
import { signRequest } from '../../src/device/sign-request.ts';

const deviceKey = 'Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=';
const deviceId = 'sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6';
const receipt = {
  deliveryId: 'd1',
  runId: 'r1',
  status: 'queued',
  duplicate: false,
  acceptedAt: '2026-11-20T08:00:00Z',
};

const problem = { type: 'about:blank', title: 'Refused', status: 400, detail: 'what was wrong', code: 'a-code' };
const notTheBridge = (httpStatus: number) => ({
  kind: 'unreachable',
  httpStatus,
  reason: `answered ${httpStatus}, not as the bridge does`,
});

const hmac = (base: string) => createHmac('sha256', Buffer.from(deviceKey, 'base64')).update(base).digest('base64');

describe('a signature', () => {
  test('on a submission · covers method, path and body · exactly as computed by hand', async () => {
    const body = '{"runId":"run-1","output":"Größe"}';
    const url = 'https://bridge.example:8443/v1/run-results?ignored=1';
    const headers = await signRequest({ method: 'post', url, body, deviceId, deviceKey, createdAtS: 1764200000 });
    const digest = `sha-256=:${createHash('sha256').update(Buffer.from(body)).digest('base64')}:`;
    const parameters = `("@method" "@path" "content-digest");created=1764200000;keyid="${deviceId}";alg="hmac-sha256"`;
    const base = [
      '"@method": POST',
      '"@path": /v1/run-results',
      `"content-digest": ${digest}`,
      `"@signature-params": ${parameters}`,
    ].join('\n');
    expect(headers).toEqual({
      'Content-Digest': digest,
      'Signature-Input': `device=${parameters}`,
      Signature: `device=:${hmac(base)}:`,
    });
  });

  test('on a GET · covers method and path · since there is no body', async () => {
    const url = 'http://localhost:8080/v1/deliveries/d1';
    const headers = await signRequest({ method: 'GET', url, deviceId, deviceKey, createdAtS: 1764200000 });
    const parameters = `("@method" "@path");created=1764200000;keyid="${deviceId}";alg="hmac-sha256"`;
    const base = `"@method": GET\n"@path": /v1/deliveries/d1\n"@signature-params": ${parameters}`;
    expect(headers).toEqual({ 'Signature-Input': `device=${parameters}`, Signature: `device=:${hmac(base)}:` });
  });
});

describe('a device client', () => {
  type Seen = { method: string; url: string; headers: IncomingHttpHeaders; body: string };
  const seen: Seen[] = [];
  let answers: ((response: ServerResponse) => void)[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      answers.shift()?.(response);
    });
  });
  let baseUrl = '';
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const json =
    (status: number, body: unknown, headers: Record<string, string> = {}) =>
    (response: ServerResponse) =>
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
  const client = () => ({ baseUrl, deviceId, deviceKey, now: () => 1764200000_500 });

  test('submitting · sends one signed POST · and reads the receipt', async () => {
    answers = [json(202, receipt)];
    expect(await submit({ runId: 'r1' }, client())).toEqual({ kind: 'accepted', receipt });
    expect(seen.at(-1)).toMatchObject({
      method: 'POST',
      url: '/v1/run-results',
      body: '{"runId":"r1"}',
      headers: {
        'content-type': 'application/json',
        'signature-input': expect.stringContaining(';created=1764200000;') as string,
      },
    });
  });

  test.each([
    ['a known run', json(200, { ...receipt, duplicate: true }), { kind: 'duplicate' }],
    [
      'a refusal',
      json(422, { ...problem, code: 'invalid-run-result' }),
      { kind: 'refused', httpStatus: 422, code: 'invalid-run-result' },
    ],
    [
      'a wait',
      json(429, { ...problem, code: 'too-fast' }, { 'Retry-After': '3' }),
      { kind: 'refused', code: 'too-fast', retryAfterMs: 3000 },
    ],
    ['a gateway page', (r: ServerResponse) => r.writeHead(502).end('<html>'), { kind: 'refused', code: 'http-502' }],
    ['a page of another server', (r: ServerResponse) => r.writeHead(404).end('<html>'), notTheBridge(404)],
    [
      'a redirect',
      (r: ServerResponse) => r.writeHead(302, { Location: 'http://elsewhere.invalid/' }).end(),
      notTheBridge(302),
    ],
    ['another server’s JSON', json(404, { status: 404, code: '404', message: 'none' }), notTheBridge(404)],
    ['a problem of other types', json(422, { ...problem, detail: {} }), notTheBridge(422)],
    [
      'errors of other types',
      json(422, { ...problem, code: 'invalid-run-result', errors: [null, 'x', { pointer: '/a', detail: 'b' }] }),
      { kind: 'refused', problem: { errors: [{ pointer: '/a', detail: 'b' }] } },
    ],
    [
      'errors that are no list',
      json(422, { ...problem, code: 'invalid-run-result', errors: { a: 1 } }),
      { kind: 'refused', problem: { errors: [] } },
    ],
    [
      'more than any answer has',
      (r: ServerResponse) => r.writeHead(200).end('x'.repeat(2 * 1024 * 1024)),
      { kind: 'unreachable', reason: 'its answer does not end' },
    ],
    ['no receipt', json(202, []), { kind: 'unreachable', reason: 'answered 202 without a receipt' }],
    ['a dropped connection', (r: ServerResponse) => r.destroy(), { kind: 'unreachable' }],
  ])('answered with %s · makes it an outcome · of its kind', async (_case, answer, outcome) => {
    answers = [answer];
    expect(await submit({ runId: 'r1' }, client())).toMatchObject(outcome);
  });

  test('asking for a delivery · sends a signed GET · and gets it or the refusal', async () => {
    answers = [json(200, { deliveryId: 'd1', status: 'delivered' }), json(404, { ...problem, code: 'not-found' })];
    expect(await readDelivery('d1', client())).toEqual({
      kind: 'found',
      delivery: { deliveryId: 'd1', status: 'delivered' },
    });
    expect(seen.at(-1)).toMatchObject({ method: 'GET', url: '/v1/deliveries/d1' });
    expect(seen.at(-1)?.headers).not.toHaveProperty('content-digest');
    expect(await readDelivery('d2', client())).toMatchObject({ kind: 'refused', code: 'not-found' });
  });

  test('that is persistent · honours Retry-After, then backs off · and ends with the receipt', async () => {
    answers = [json(429, {}, { 'Retry-After': '3' }), json(503, {}), (r) => r.destroy(), json(202, receipt)];
    const waitsMs: number[] = [];
    const wait = (ms: number) => Promise.resolve(void waitsMs.push(ms));
    const retry = { random: () => 0.5, giveUpAfterMs: 60_000, wait };
    const result = await submitUntilAccepted({ runId: 'r1' }, client(), retry);
    expect(result).toEqual({ outcome: { kind: 'accepted', receipt }, attempts: 4, gaveUp: 'no' });
    expect(waitsMs).toEqual([3500, 1000, 2000]);
  });

  test('that is persistent · stops at a final refusal · and when the time is up', async () => {
    const retry = { random: () => 0.5, giveUpAfterMs: 10_000 };
    answers = [json(403, { ...problem, code: 'wrong-device' })];
    const refused = await submitUntilAccepted({}, client(), retry);
    expect(refused).toMatchObject({ attempts: 1, gaveUp: 'no', outcome: { code: 'wrong-device' } });
    answers = [json(503, { code: 'queue-unavailable' }, { 'Retry-After': '20' })];
    const late = await submitUntilAccepted({}, client(), retry);
    expect(late).toMatchObject({ attempts: 1, gaveUp: 'out-of-time', outcome: { retryAfterMs: 20_000 } });
  });

  test('that is aborted · throws the reason · in an attempt and in a wait', async () => {
    const leaving = new AbortController();
    answers = [() => leaving.abort(new Error('going home'))];
    await expect(submit({}, { ...client(), signal: leaving.signal })).rejects.toThrow('going home');
    const waiting = new AbortController();
    answers = [
      (response) => {
        json(503, {}, { 'Retry-After': '5' })(response);
        response.on('close', () => setImmediate(() => waiting.abort()));
      },
    ];
    const retry = { random: () => 0, giveUpAfterMs: 60_000 };
    const aborted = submitUntilAccepted({}, { ...client(), signal: waiting.signal }, retry);
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('the wait without Retry-After · doubles its bound · up to the longest', () => {
  const retry = { random: () => 1, giveUpAfterMs: 0, firstBackoffMs: 100, longestBackoffMs: 1000 };
  const waits = [1, 2, 3, 4, 5, 9].map((attempt) => decideWaitMs({ kind: 'unreachable', reason: '' }, attempt, retry));
  expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
});
