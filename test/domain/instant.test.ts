// Instants to 100 ns: which texts are one, and when two of them are the same moment.
import { describe, expect, test } from 'vitest';
import { compareInstants, isInstant, parseInstant, writeInstant } from '../../src/domain/instant.ts';

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
  '٢026-11-20T10:00:00Z',
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
  ['2026-11-20T10:00:00Z', '', 'different'],
  ['2026-11-20T10:00:00Z', 'never', 'different'],
];

describe('a date-time with an offset · is read to 100 ns · with the digits it had', () => {
  test.each(READ)('%s', (text, ticks, fractionDigits) => {
    expect(isInstant(text)).toBe(true);
    expect(parseInstant(text)).toEqual({ ticks, fractionDigits });
  });
});

test.each(NOT_ONE)('a text that is no instant · is not read · %j', (text) => {
  expect(isInstant(text)).toBe(false);
  expect(parseInstant(text)).toBeNull();
});

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
