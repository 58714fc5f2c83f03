// Instants to 100 ns: which texts are one, and when two of them are the same moment.
import { describe, expect, test } from 'vitest';
import { compareInstants, faultOfInstant, parseInstant, writeInstant } from '../../../src/domain/submission/instant.ts';

const READ: [text: string, ticks: bigint, fractionDigits: number][] = [
  ['1970-01-01T00:00:00Z', 0n, 0],
  ['1970-01-01T00:00:00.0000001Z', 1n, 7],
  ['1970-01-01T00:00:00.1Z', 1_000_000n, 1],
  ['1970-01-01T01:00:00.001+01:00', 10_000n, 3],
  ['1969-12-31T23:59:59.9999999Z', -1n, 7],
  ['2017-01-01T00:02:58.4418045-08:00', 14_832_577_784_418_045n, 7],
  ['2000-02-29T00:00:00+00:00', 9_517_824_000_000_000n, 0],
];

const NOT_ONE = [
  '',
  '2026-11-20',
  '2026-11-20T10:00:00',
  '2026-11-20 10:00:00Z',
  '2026-11-20T10:00:00z',
  '2026-11-20t10:00:00Z',
  '2026-11-20T10:00Z',
  '2026-11-20T24:00:00Z',
  '2026-11-20T10:60:00Z',
  '2026-11-20T23:59:60Z',
  '2026-11-20T10:00:00.Z',
  '2026-11-20T10:00:00.12345678Z',
  '2026-11-20T10:00:00,5Z',
  '2026-11-20T10:00:00+24:00',
  '2026-11-20T10:00:00+0100',
  '2026-00-20T10:00:00Z',
  '2026-13-20T10:00:00Z',
  '2026-04-31T10:00:00Z',
  '2026-02-29T10:00:00Z',
  '1900-02-29T10:00:00Z',
  ' 2026-11-20T10:00:00Z',
  '2026-11-20T10:00:00Z\n',
  '2026-06-30T23:59:60Z',
  '2016-12-31T23:59:60+00:00',
  '2026-11-20T10:00:00.12345678+14:00',
  '0000-00-01T10:00:00Z',
  '10000-01-01T00:00:00Z',
  '+2026-11-20T10:00:00Z',
  '-0001-11-20T10:00:00Z',
  '2026-11-20T10:00:00+1:00',
  '2026-11-20T10:00:00+01:60',
  '2026-11-20T10:00:00−01:00',
  '٢026-11-20T10:00:00Z',
];

const HELD = [
  '0001-01-01T00:00:00Z',
  '0001-01-01T00:00:00-00:00',
  '0001-01-01T00:00:00-14:00',
  '0001-01-01T14:00:00+14:00',
  '0001-01-01T00:30:00.0000001+00:30',
  '9999-12-31T23:59:59.9999999Z',
  '9999-12-31T23:59:59.9999999+00:00',
  '9999-12-31T23:59:59.9999999-00:00',
  '9999-12-31T23:59:59.9999999+14:00',
  '9999-12-31T09:59:59.9999999-14:00',
  '2026-11-20T10:00:00+14:00',
  '2026-11-20T10:00:00-14:00',
  '2026-11-20T10:00:00+13:59',
];

const YEAR = 'must have a year from 0001 to 9999';
const YEAR_IN_UTC = 'must have a year from 0001 to 9999 in UTC too';
const OFFSET = 'must have an offset from -14:00 to +14:00';

const NOT_HELD: [text: string, reason: string][] = [
  ['0000-12-31T23:59:59Z', YEAR],
  ['0000-12-31T23:59:59-14:00', YEAR],
  ['0000-02-29T00:00:00Z', YEAR],
  ['0001-01-01T00:00:00+00:01', YEAR_IN_UTC],
  ['0001-01-01T13:59:59.9999999+14:00', YEAR_IN_UTC],
  ['0001-01-01T00:29:59+00:30', YEAR_IN_UTC],
  ['9999-12-31T23:59:59-00:01', YEAR_IN_UTC],
  ['9999-12-31T10:00:00-14:00', YEAR_IN_UTC],
  ['9999-12-31T23:59:59.9999999-14:00', YEAR_IN_UTC],
  ['2026-11-20T10:00:00+14:01', OFFSET],
  ['2026-11-20T10:00:00-14:01', OFFSET],
  ['2026-11-20T10:00:00+14:59', OFFSET],
  ['2026-11-20T10:00:00+15:00', OFFSET],
  ['2026-11-20T10:00:00-23:59', OFFSET],
];

const COMPARED: [reported: string, recorded: string, outcome: string][] = [
  ['2026-11-20T10:00:00.1234567+01:00', '2026-11-20T09:00:00.1234567Z', 'exact'],
  ['2026-11-20T10:00:00.1230000Z', '2026-11-20T10:00:00.123Z', 'exact'],
  ['2026-11-20T10:00:00.5Z', '2026-11-20T10:00:00.5000000Z', 'exact'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.1234568Z', 'different'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.1234566Z', 'different'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.123Z', 'truncated'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00Z', 'truncated'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.124Z', 'different'],
  ['2026-11-20T10:00:01.0000001Z', '2026-11-20T10:00:00Z', 'different'],
  ['2026-11-20T10:00:00Z', '2026-11-20T10:00:00.0000001Z', 'different'],
  ['2026-11-20T10:00:00.123Z', '2026-11-20T10:00:00.1234567Z', 'different'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.1230000Z', 'truncated'],
  ['2026-11-20T10:00:00.9999Z', '2026-11-20T10:00:01Z', 'truncated'],
  ['2026-11-20T10:00:00.1236Z', '2026-11-20T10:00:00.124Z', 'truncated'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.0000000Z', 'truncated'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.1234560Z', 'different'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20T10:00:00.1240000Z', 'different'],
  ['2026-11-20T10:00:00.1234567Z', '2026-11-20t10:00:00.123456700z', 'exact'],
  ['2026-11-20T10:00:00.1234567+01:00', '2026-11-20 09:00:00.1234567', 'exact'],
  ['2026-11-20T10:00:00.1234567+01:00', '2026-11-20T12:00:00.1234567+0300', 'exact'],
  ['2026-11-20T10:00:00Z', '', 'different'],
  ['2026-11-20T10:00:00Z', 'never', 'different'],
];

describe('a date-time with an offset · is read to 100 ns · with the digits it had', () => {
  test.each(READ)('%s', (text, ticks, fractionDigits) => {
    expect(faultOfInstant(text)).toBeNull();
    expect(parseInstant(text)).toEqual({ ticks, fractionDigits });
  });
});

test.each(NOT_ONE)('a text that is no instant · is not read · %j', (text) => {
  expect(faultOfInstant(text)).toContain('RFC 3339');
  expect(parseInstant(text)).toBeNull();
});

test.each(HELD)('an instant that .NET’s DateTimeOffset holds · is taken · %s', (text) => {
  expect(faultOfInstant(text)).toBeNull();
});

test.each(NOT_HELD)(
  'an instant that .NET’s DateTimeOffset cannot hold · is refused with the reason · %s',
  (text, reason) => {
    expect(faultOfInstant(text)).toBe(reason);
    // Accepted by an earlier version, it can still be compared.
    expect(parseInstant(text)).not.toBeNull();
  },
);

test('an instant · written · is in UTC with milliseconds, whichever was written before', () => {
  const texts = [0, 1_790_000_000_123, 1_790_000_000_123, 0].map(writeInstant);
  expect(texts).toEqual([
    '1970-01-01T00:00:00.000Z',
    '2026-09-21T14:13:20.123Z',
    '2026-09-21T14:13:20.123Z',
    '1970-01-01T00:00:00.000Z',
  ]);
});

describe('two texts · are compared as moments · not as characters', () => {
  test.each(COMPARED)('%s and %s: %s', (reported, recorded, outcome) => {
    expect(compareInstants(reported, recorded)).toBe(outcome);
  });
});
