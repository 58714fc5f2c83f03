// DateTimeOffset: which texts are one, and that reading and writing keep the instant to 100 ns.
import { expect, test } from 'vitest';

import { formatDateTimeOffset, parseDateTimeOffset } from '../../../src/sandbox/graph/date-time-offset.ts';
import { fc } from '../../support/properties.ts';

test.each([
  ['2017-01-01T00:02:58.4418045-08:00', '2017-01-01T08:02:58.4418045Z'],
  ['2026-11-20T10:00:00.1234500+01:00', '2026-11-20T09:00:00.12345Z'],
  ['2026-11-20T10:00:00Z', '2026-11-20T10:00:00Z'],
  ['2024-02-29T23:59:59.9999999-00:30', '2024-03-01T00:29:59.9999999Z'],
  ['1969-12-31T23:59:59.9999999Z', '1969-12-31T23:59:59.9999999Z'],
])('%s · is written back in UTC · as %s', (sent, answered) => {
  expect(formatDateTimeOffset(parseDateTimeOffset(sent) ?? 0n)).toBe(answered);
});

test.each([
  '2026-11-20T10:00:00',
  '2026-11-20T10:00:00.12345678Z',
  '2026-11-20T10:00:00.Z',
  '2026-02-30T10:00:00Z',
  '2026-11-20T24:00:00Z',
  '2026-11-20T10:00:60Z',
  '2026-11-20T10:00:00+14:01',
  '2026-11-20T10:00:00+01:60',
  '2026-11-20 10:00:00Z',
  '2026-11-20t10:00:00z',
  '0000-01-01T00:00:00Z',
  '',
])('"%s" · is not a DateTimeOffset · and is not read as one', (text) => {
  expect(parseDateTimeOffset(text)).toBeUndefined();
});

test('any instant · written and read back · is the same', () => {
  const ticks = fc.bigInt({ min: -300_000_000_000_000_000n, max: 2_000_000_000_000_000_000n });
  fc.assert(
    fc.property(ticks, (instant) => {
      expect(parseDateTimeOffset(formatDateTimeOffset(instant))).toBe(instant);
    }),
  );
});
