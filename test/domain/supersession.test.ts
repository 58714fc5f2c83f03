// Supersession: which results have the same key, and which of them is newer.
import { expect, test } from 'vitest';
import {
  isCompletedAhead,
  sortableInstant,
  supersessionKey,
  toSupersessionOrder,
} from '../../src/domain/supersession.ts';
import { aRun } from '../support/tenant.ts';

test('instants as text · sort chronologically · with any offset and fraction', () => {
  const inOrder = [
    '0001-01-01T00:00:00Z',
    '1969-12-31T23:59:59.9999999Z',
    '1970-01-01T00:00:00Z',
    '2026-11-23T10:00:00+02:00',
    '2026-11-23T10:00:00.0000001+02:00',
    '2026-11-23T10:00:00+01:00',
    '9999-12-31T23:59:59Z',
  ].map((completedAt) => sortableInstant({ completedAt }));
  expect(inOrder.toSorted()).toEqual(inOrder);
  expect(new Set(inOrder).size).toBe(inOrder.length);
  expect(sortableInstant({ completedAt: '2026-11-23T09:00:00Z' })).toBe(
    sortableInstant({ completedAt: '2026-11-23T10:00:00.000+01:00' }),
  );
});

test.each([
  ['2026-11-24T10:00:00Z', false],
  ['2026-11-24T10:00:00.0000001Z', true],
  ['2026-11-24T11:00:00+01:00', false],
  ['2099-01-01T00:00:00Z', true],
  ['0001-01-01T00:00:00Z', false],
])(
  'a run completed at %s, accepted on 23 November at ten · takes no part if that is more than a day ahead: %s',
  (completedAt, isAhead) => {
    const acceptedAt = Date.UTC(2026, 10, 23, 10);
    expect(isCompletedAhead({ completedAt }, acceptedAt)).toBe(isAhead);
    const run = aRun(1, { completedAt });
    const order = toSupersessionOrder(run, acceptedAt);
    if (isAhead) expect(order).toBeNull();
    else expect(order).toEqual({ supersessionKey: supersessionKey(run), instant: sortableInstant({ completedAt }) });
  },
);

test('a supersession key · is that of one device and one configuration · whatever characters their ids have', () => {
  const keyOf = (deviceId: string, hardwareConfigurationId: string) =>
    supersessionKey({ deviceId, hardwareConfigurationId });
  expect(keyOf('a', 'b')).toBe(keyOf('a', 'b'));
  expect(new Set([keyOf('a', 'b'), keyOf('a', 'c'), keyOf('c', 'b'), keyOf('a","b', '')]).size).toBe(4);
});
