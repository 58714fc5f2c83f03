// What an answer, or none, means: the contract's table "When Graph says no", row by row, and Retry-After in every spelling.
import { describe, expect, test } from 'vitest';
import { diagnose, diagnoseThrown, parseRetryAfter } from '../../src/graph/diagnose.ts';
import { NotConnected, TooLate } from '../../src/graph/transport.ts';

const now = Date.parse('2026-11-20T10:00:00Z');
const answer = (status: number, headers: Record<string, string> = {}, body: string | null = '') => ({
  status,
  headers: new Headers(headers),
  body,
});
const kindOf = (...given: Parameters<typeof answer>) => diagnose(answer(...given), now).kind;
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
    [204, null, 'uncertain'],
    [302, null, 'uncertain'],
    [307, null, 'uncertain'],
    [401, null, 'unauthenticated'],
    [402, null, 'forbidden'],
    [403, null, 'forbidden'],
    [400, null, 'rejected'],
    [404, null, 'rejected'],
    [405, null, 'rejected'],
    [409, null, 'rejected'],
    [410, null, 'rejected'],
    [413, null, 'rejected'],
    [415, null, 'rejected'],
    [422, null, 'rejected'],
    [501, null, 'rejected'],
  ])('%i with Retry-After %s: %s', (status, retryAfter, kind) => {
    const headers: Record<string, string> = retryAfter === null ? {} : { 'retry-after': retryAfter };
    for (const body of [envelope({ code: 'X', message: 'y' }), '<html></html>', '', '{"error":', null]) {
      expect(kindOf(status, headers, body)).toBe(kind);
    }
  });
});

describe('a body', () => {
  test('of Graph · is told with code and message · and its request id where no header has one', () => {
    const body = envelope({ code: 'Forbidden', message: 'No consent.', innerError: { 'request-id': 'inner' } });
    expect(diagnose(answer(403, { 'request-id': 'outer' }, body), now)).toEqual({
      kind: 'forbidden',
      detail: '403 Forbidden No consent.',
      graph: { status: 403, code: 'Forbidden', requestId: 'outer' },
    });
    expect(diagnose(answer(403, {}, body), now).graph?.requestId).toBe('inner');
  });

  test('with innererror in small letters · gives its request id · all the same', () => {
    const body = envelope({ code: 'X', innererror: { 'request-id': 'small' } });
    expect(diagnose(answer(500, {}, body), now).graph?.requestId).toBe('small');
  });

  test('of Intune · is told by its nested message · and not as JSON in JSON', () => {
    const message = JSON.stringify({
      _version: 3,
      Message: 'An error has occurred - Activity ID: 7',
      RetryAfter: null,
    });
    expect(diagnose(answer(500, {}, envelope({ code: 'InternalServerError', message })), now).detail).toBe(
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
    expect(diagnose(answer(504, {}, body), now)).toMatchObject({ kind: 'uncertain', graph: { status: 504 } });
    expect(diagnose(answer(504, {}, body), now).detail).toMatch(/^504/);
  });

  test('of great length · is told in brief · for an operator to read', () => {
    const long = envelope({ code: 'X', message: 'm'.repeat(100_000) });
    expect(diagnose(answer(400, {}, long), now).detail.length).toBeLessThanOrEqual(500);
  });
});

describe('Retry-After', () => {
  const date = (offsetMs: number) => new Date(now + offsetMs).toUTCString();

  test.each<[what: string, value: string | null, date: string | null, ms: number | null]>([
    ['seconds', '10', null, 10_000],
    ['no seconds', '0', null, 0],
    ['a fraction', '2.128', null, 2128],
    ['a fraction of a millisecond, never clipped short', '0.0001', null, 1],
    ['spaces around', ' 5 ', null, 5000],
    ['very long, never clipped short', '99999999', null, 99_999_999_000],
    ['a date', date(7000), null, 7000],
    ['a date and the sender’s clock an hour ahead', date(3_600_000 + 7000), date(3_600_000), 7000],
    ['a date and the sender’s clock an hour behind', date(-3_600_000 + 7000), date(-3_600_000), 7000],
    ['a date and a Date nobody can read', date(7000), 'noon', 7000],
    ['a date that has passed', date(-7000), null, 0],
    ['a date in the older spelling', 'Friday, 20-Nov-26 10:00:09 GMT', null, 9000],
    ['none', null, date(0), null],
    ['nothing', '', null, null],
    ['garbage', 'soon', null, null],
    ['a negative number', '-5', null, null],
    ['an exponent', '1e3', null, null],
    ['a number with a unit', '5s', null, null],
    ['a year that could be a date', '2026-11-20', null, null],
    ['a weekday and garbage', 'Fri, whenever', null, null],
  ])('%s · is read properly · or not at all', (_what, value, sentAt, ms) => {
    expect(parseRetryAfter(value, sentAt, now)).toBe(ms);
  });

  test('in Intune’s nested message · counts · where the header is absent', () => {
    const body = envelope({ code: 'TooManyRequests', message: JSON.stringify({ Message: 'Wait.', RetryAfter: 12 }) });
    expect(diagnose(answer(429, {}, body), now)).toMatchObject({ kind: 'throttled', retryAfterMs: 12_000 });
    expect(diagnose(answer(429, { 'retry-after': '3' }, body), now)).toMatchObject({ retryAfterMs: 3000 });
  });

  test('that nobody can read · on a 503 · still means throttled', () => {
    expect(diagnose(answer(503, { 'retry-after': 'soon' }), now)).toMatchObject({
      kind: 'throttled',
      retryAfterMs: null,
    });
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

  test('because it was too late to send · was not sent', () => {
    expect(diagnoseThrown(new TooLate())).toMatchObject({ kind: 'not-sent', upstream: 'graph' });
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
