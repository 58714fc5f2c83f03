// How long an answer asks to wait: Retry-After as the standard has it, and as services and proxies send it.
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/graph/diagnose.ts';
import { parseRetryAfter } from '../../src/graph/retry-after.ts';
import { fc } from '../support/properties.ts';

const now = Date.parse('2026-11-20T10:00:00Z');
const answer = (status: number, headers: Record<string, string> | [string, string][], body = '') => ({
  status,
  headers: new Headers(headers),
  body,
});
const envelope = (error: unknown) => JSON.stringify({ error });

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
    ['two numbers', '30,120', null, 120_000],
    ['two numbers, the larger first', '120 , 30', null, 120_000],
    ['a number and a date', '30, Fri, 20 Nov 2026 10:02:00 GMT', null, 120_000],
    ['a date and a number', 'Fri, 20 Nov 2026 10:00:10 GMT, 30', null, 30_000],
    ['two dates', `${date(5000)}, ${date(9000)}`, null, 9000],
    ['a number and garbage', 'soon, 30', null, 30_000],
    ['a negative number and another', '-5, 30', null, 30_000],
    ['no number, and minus one', 'NaN, -1', null, null],
    ['commas alone', ' , ,', null, null],
    ['a number in quotes', '"30"', null, 30_000],
    ['a fraction without digits', '5.', null, 5000],
    ['asctime’s spelling, which is UTC', 'Fri Nov 20 10:00:09 2026', null, 9000],
    ['seconds since 1970', '1795168800', null, 1_795_168_800_000],
    ['milliseconds since 1970', '1795168800000', null, 1e15],
    ['a number nobody can hold', '9'.repeat(400), null, 1e15],
  ])('%s · is read properly · or not at all', (_what, value, sentAt, ms) => {
    expect(parseRetryAfter(value, sentAt, now)).toBe(ms);
  });

  test('in Intune’s nested message · counts · where the header is absent', () => {
    const body = envelope({ code: 'TooManyRequests', message: JSON.stringify({ Message: 'Wait.', RetryAfter: 12 }) });
    expect(diagnose({ answer: answer(429, {}, body), now })).toMatchObject({ kind: 'throttled', retryAfterMs: 12_000 });
    expect(diagnose({ answer: answer(429, { 'retry-after': '3' }, body), now })).toMatchObject({ retryAfterMs: 3000 });
  });

  test('that nobody can read · on a 503 · still means throttled', () => {
    expect(diagnose({ answer: answer(503, { 'retry-after': 'soon' }), now })).toMatchObject({
      kind: 'throttled',
      retryAfterMs: null,
    });
  });

  test('in two fields · counts as the larger · in whatever order', () => {
    for (const values of [
      ['30', '120'],
      ['120', '30'],
    ]) {
      const headers = values.map((value): [string, string] => ['retry-after', value]);
      expect(diagnose({ answer: answer(429, headers), now })).toMatchObject({ retryAfterMs: 120_000 });
    }
  });

  test.each(['retry-after-ms', 'x-ms-retry-after-ms'])('in milliseconds · %s · counts too', (name) => {
    expect(diagnose({ answer: answer(429, { [name]: '1500' }), now })).toMatchObject({
      kind: 'throttled',
      retryAfterMs: 1500,
    });
    expect(diagnose({ answer: answer(503, { [name]: '1500' }), now })).toMatchObject({
      kind: 'throttled',
      retryAfterMs: 1500,
    });
    expect(diagnose({ answer: answer(429, { [name]: '1500', 'retry-after': '1' }), now })).toMatchObject({
      retryAfterMs: 1500,
    });
    expect(diagnose({ answer: answer(429, { [name]: '1500', 'retry-after': '2' }), now })).toMatchObject({
      retryAfterMs: 2000,
    });
  });

  test('left blank · on a 503 · asks for nothing', () => {
    expect(diagnose({ answer: answer(503, { 'retry-after': ' ' }), now })).toMatchObject({ kind: 'uncertain' });
  });

  test('any text · is read without throwing · as a wait or as none', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.nat().map(String),
      fc.date({ noInvalidDate: true }).map((at) => at.toUTCString()),
    );
    fc.assert(
      fc.property(fc.array(piece), fc.option(piece), (pieces, sentAt) => {
        const ms = parseRetryAfter(pieces.join(', '), sentAt, now);
        expect(ms === null || (Number.isSafeInteger(ms) && ms >= 0)).toBe(true);
        expect(() => new Date(now + (ms ?? 0)).toISOString()).not.toThrow();
      }),
    );
  });

  test('any numbers and dates, however listed · count as the largest', () => {
    const wait = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(fc.array(fc.record({ seconds: wait, asDate: fc.boolean() }), { minLength: 1 }), (waits) => {
        const text = waits.map(({ seconds, asDate }) => (asDate ? date(seconds * 1000) : String(seconds))).join(', ');
        expect(parseRetryAfter(text, null, now)).toBe(Math.max(...waits.map(({ seconds }) => seconds)) * 1000);
      }),
    );
  });
});
