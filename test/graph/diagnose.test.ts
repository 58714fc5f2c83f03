// What an answer, or none, means: the contract's table "When Graph says no", row by row.
import { describe, expect, test } from 'vitest';
import { diagnose, diagnoseThrown } from '../../src/graph/diagnose.ts';
import { NotConnected, TooLate } from '../../src/graph/transport.ts';

const now = Date.parse('2026-11-20T10:00:00Z');
const answer = (status: number, headers: Record<string, string> = {}, body: string | null = '') => ({
  status,
  headers: new Headers(headers),
  body,
});
const kindOf = (...given: Parameters<typeof answer>) => diagnose({ answer: answer(...given), now }).kind;
const envelope = (error: unknown) => JSON.stringify({ error });

describe('a status · means one thing · whatever its body', () => {
  test.each<[status: number, retryAfter: string | null, kind: string]>([
    [429, '2', 'throttled'],
    [429, null, 'throttled'],
    [509, '2', 'throttled'],
    [509, null, 'throttled'],
    [503, '2', 'throttled'],
    [503, null, 'uncertain'],
    [500, null, 'uncertain'],
    [500, '2', 'uncertain'],
    [502, null, 'uncertain'],
    [504, null, 'uncertain'],
    [504, '2', 'uncertain'],
    [507, null, 'uncertain'],
    [408, null, 'uncertain'],
    [407, null, 'not-sent'],
    [401, null, 'unauthenticated'],
    [402, null, 'forbidden'],
    [403, null, 'forbidden'],
    [405, null, 'rejected'],
    [409, null, 'conflict'],
    [410, null, 'rejected'],
    [413, null, 'rejected'],
    [415, null, 'rejected'],
    [422, null, 'rejected'],
    [406, null, 'rejected'],
    [411, null, 'rejected'],
    [412, null, 'rejected'],
    [414, null, 'rejected'],
    [416, null, 'rejected'],
    [501, null, 'rejected'],
  ])('%i with Retry-After %s: %s', (status, retryAfter, kind) => {
    const headers: Record<string, string> = { 'request-id': 'r' };
    if (retryAfter !== null) headers['retry-after'] = retryAfter;
    for (const body of [envelope({ code: 'X', message: 'y' }), '<html></html>', '', '{"error":', null]) {
      expect(kindOf(status, headers, body)).toBe(kind);
    }
  });

  test.each([400, 404])(
    '%i: rejected · but uncertain if its error broke off, which may be about the tenant',
    (status) => {
      for (const body of [envelope({ code: 'X', message: 'y' }), envelope({}), '', '<html></html>']) {
        expect(kindOf(status, { 'request-id': 'r' }, body)).toBe('rejected');
      }
      for (const body of [null, '{"error":', '\n {"error":{"code":"No method']) {
        expect(kindOf(status, { 'request-id': 'r' }, body)).toBe('uncertain');
      }
    },
  );

  const documented = [400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 416, 422, 429];
  const others = Array.from({ length: 500 }, (_, index) => 100 + index).filter(
    (status) => !documented.includes(status) && status !== 501 && status !== 509,
  );
  test('that no service documents for the request · says nothing about its result · 425, 449, 499, 52x and all others', () => {
    expect(others).toEqual(expect.arrayContaining([202, 204, 302, 425, 449, 451, 499, 520, 529, 598]));
    for (const status of others) {
      for (const body of [envelope({ code: 'X', message: 'y' }), '<html></html>', '', null]) {
        expect([status, kindOf(status, {}, body)]).toEqual([status, 'uncertain']);
      }
    }
  });
});

describe('a route that the tenant’s Intune does not serve', () => {
  const WORDS =
    'No OData route exists that match template ~/singleton/navigation/key/navigation with http verb POST for request /DeviceConfig/StatelessDeviceConfigFEService/deviceManagement/x.';
  const of = (status: number, error: object, said: string[] = [], operation: 'create' | 'list' = 'create') =>
    diagnose({
      answer: { status, headers: new Headers({ 'request-id': 'r' }), body: JSON.stringify({ error }) },
      now: 0,
      said,
      operation,
    });

  test.each<[string, number, object]>([
    ['as publicly reported', 400, { code: 'No method match route template', message: WORDS }],
    ['in other letters', 400, { code: 'NO METHOD MATCH ROUTE TEMPLATE', message: '' }],
    ['in words alone', 400, { code: 'BadRequest', message: WORDS }],
    ['nested in the message', 400, { code: 'BadRequest', message: JSON.stringify({ _version: 3, Message: WORDS }) }],
    [
      'nested as an envelope of its own',
      400,
      { code: 'BadRequest', message: JSON.stringify({ error: { code: 'No method match route template' } }) },
    ],
    ['with 404', 404, { code: 'No method match route template', message: WORDS }],
    ['method not allowed', 405, { code: 'MethodNotAllowed', message: 'x' }],
    ['not implemented', 501, { code: 'NotImplemented', message: 'x' }],
  ])('is told %s · and is no run result’s own trouble', (_, status, error) => {
    expect(of(status, error)).toMatchObject({ kind: 'route-not-served', graph: { status } });
  });

  test('is recognised for a listing too, by its words · but a listing that is not allowed is a refusal of its own', () => {
    expect(of(400, { code: 'x', message: WORDS }, [], 'list')).toMatchObject({ kind: 'route-not-served' });
    expect(of(405, { code: 'x', message: 'y' }, [], 'list')).toMatchObject({ kind: 'rejected' });
  });

  test('is not recognised by what the device said itself · which Graph may repeat', () => {
    const error = { code: 'BadRequest', message: `The value '${WORDS}' is too long.` };
    expect(of(400, error, [WORDS])).toMatchObject({ kind: 'rejected', status: 400 });
  });

  test('a gateway’s 405 or 501 · says nothing of the route', () => {
    const answer = { status: 405, headers: new Headers({ 'content-type': 'text/html' }), body: '<h1>no</h1>' };
    expect(diagnose({ answer, now: 0, said: [], operation: 'create' })).toMatchObject({ kind: 'uncertain' });
  });
});

describe('a refusal that is not Graph’s word · a page or a line without its request id · says nothing about the result', () => {
  const statuses = [400, 401, 402, 403, 404, 405, 409, 413, 422, 501];
  const foreign: [what: string, headers: Record<string, string>, body: string | null][] = [
    ['a proxy’s page', { 'content-type': 'text/html' }, '<!DOCTYPE html><h1>Access denied</h1>'],
    ['a page with a byte order mark', {}, '\uFEFF\r\n<html></html>'],
    ['a line of text', { 'content-type': 'text/plain' }, 'RBAC: access denied'],
    ['XML', { 'content-type': 'application/xml' }, '<?xml version="1.0"?><Error/>'],
    ['a page cut off', { 'content-type': 'text/html; charset=utf-8' }, null],
  ];

  test.each(foreign)('%s', (_what, headers, body) => {
    for (const status of statuses) {
      const failure = diagnose({ answer: answer(status, headers, body), now });
      expect([status, failure.kind]).toEqual([status, 'uncertain']);
      expect(failure.detail).toMatch(/proxy or gateway/);
      const byGraph = diagnose({ answer: answer(status, { ...headers, 'request-id': 'r' }, body), now });
      expect(byGraph.detail).not.toMatch(/proxy or gateway/);
    }
  });

  test('throttling · counts all the same · whichever server says it', () => {
    expect(diagnose({ answer: answer(429, { 'retry-after': '7' }, '<html></html>'), now })).toMatchObject({
      kind: 'throttled',
      retryAfterMs: 7000,
    });
  });

  test('credentials for a proxy · are asked for before anything is sent on', () => {
    expect(diagnose({ answer: answer(407, { 'proxy-authenticate': 'Basic' }, '<html></html>'), now })).toMatchObject({
      kind: 'not-sent',
      upstream: 'graph',
      detail: expect.stringContaining('proxy') as string,
    });
  });
});

describe('a body', () => {
  test('of Graph · is reported with code and message · and its request id where no header has one', () => {
    const body = envelope({ code: 'Forbidden', message: 'No consent.', innerError: { 'request-id': 'inner' } });
    expect(diagnose({ answer: answer(403, { 'request-id': 'outer' }, body), now })).toEqual({
      kind: 'forbidden',
      detail: '403 Forbidden No consent.',
      graph: { status: 403, code: 'Forbidden', requestId: 'outer' },
    });
    expect(diagnose({ answer: answer(403, {}, body), now }).graph?.requestId).toBe('inner');
  });

  test('with innererror in small letters · gives its request id · all the same', () => {
    const body = envelope({ code: 'X', innererror: { 'request-id': 'small' } });
    expect(diagnose({ answer: answer(500, {}, body), now }).graph?.requestId).toBe('small');
  });

  test('of Intune · is reported by its nested message · and not as JSON in JSON', () => {
    const message = JSON.stringify({
      _version: 3,
      Message: 'An error has occurred - Activity ID: 7',
      RetryAfter: null,
    });
    expect(diagnose({ answer: answer(500, {}, envelope({ code: 'InternalServerError', message })), now }).detail).toBe(
      '500 InternalServerError An error has occurred - Activity ID: 7',
    );
  });

  test.each([
    ['nothing', ''],
    ['HTML', '<html><h1>504</h1></html>'],
    ['half of it', '{"error":{"code":"Int'],
    ['null', 'null'],
    ['no error', '{}'],
    ['an error that is null', '{"error":null}'],
    ['an error that is text', '{"error":"invalid_client"}'],
    ['a list', '[1]'],
    ['an error with members of other types', '{"error":{"code":7,"message":{},"innerError":"x"}}'],
    ['an inner error that is null', '{"error":{"code":"","message":"","innerError":null}}'],
    ['a nested message that is null', '{"error":{"message":"null"}}'],
    ['a body cut off', null],
  ])('that says little · %s · is told by its status', (_what, body) => {
    expect(diagnose({ answer: answer(504, {}, body), now })).toMatchObject({
      kind: 'uncertain',
      graph: { status: 504 },
    });
    expect(diagnose({ answer: answer(504, {}, body), now }).detail).toMatch(/^504/);
  });

  test('of great length · is shortened · for an operator to read', () => {
    const long = envelope({ code: 'X', message: 'm'.repeat(100_000) });
    expect(diagnose({ answer: answer(400, {}, long), now }).detail.length).toBeLessThanOrEqual(500);
  });
});

describe('no answer', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

  test('without a connection · was not sent · however deep that is buried', () => {
    const thrown = new TypeError('fetch failed', { cause: new Error('outer', { cause: new NotConnected(refused) }) });
    expect(diagnoseThrown(thrown)).toEqual({
      kind: 'not-sent',
      upstream: 'graph',
      detail: 'ECONNREFUSED: connect ECONNREFUSED',
      graph: null,
    });
  });

  test('because it was too late to send · was held up here · and is nobody else’s fault', () => {
    expect(diagnoseThrown(new TooLate())).toMatchObject({ kind: 'delayed', graph: null });
  });

  test.each([
    [
      'a reset',
      new TypeError('fetch failed', { cause: Object.assign(new Error('read'), { code: 'ECONNRESET' }) }),
      'ECONNRESET: read',
    ],
    ['a time-out', new DOMException('took too long', 'TimeoutError'), 'TimeoutError: took too long'],
    ['a refusal from nobody knows where', refused, 'ECONNREFUSED: connect ECONNREFUSED'],
    ['no error at all', 'text', 'the request failed'],
  ])('after sending · %s · is uncertain', (_what, thrown, detail) => {
    expect(diagnoseThrown(thrown)).toEqual({ kind: 'uncertain', detail, graph: null });
  });
});
