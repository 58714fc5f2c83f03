// Who goes first and who stands for others: tables.
import { describe, expect, test } from 'vitest';
import { supersessionKey, isCompletedAhead, rank, sortableInstant, toContestant } from '../../src/domain/order.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import { aRun } from '../support/tenant.ts';

describe('rank', () => {
  test.each<[string, Partial<RunResult>, number]>([
    ['fail', { state: 'fail' }, 0],
    ['scriptError', { state: 'scriptError' }, 0],
    ['an exit code that means fail', { exitCode: 5 }, 0],
    ['pending', { state: 'pending' }, 1],
    ['an exit code that means a reboot', { exitCode: 3010 }, 1],
    ['success', { state: 'success' }, 2],
    ['an exit code that means success', { exitCode: 0 }, 2],
    ['a state that wins over its exit code', { state: 'success', exitCode: 5 }, 2],
    ['notApplicable', { state: 'notApplicable' }, 2],
    ['unknown', { state: 'unknown' }, 2],
  ])(
    '%s · goes by what Graph will be told · and alike where everything is first come first served',
    (_, members, is) => {
      expect(rank(aRun(1, members), 'failures-first')).toBe(is);
      expect(rank(aRun(1, members), 'fifo')).toBe(2);
    },
  );
});

test('instants as text · sort as they happened · whatever their offset and fraction', () => {
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
  'a run completed at %s, accepted on 23 November at ten · takes no part where that is more than a day ahead: %s',
  (completedAt, isAhead) => {
    const acceptedAt = Date.UTC(2026, 10, 23, 10);
    expect(isCompletedAhead({ completedAt }, acceptedAt)).toBe(isAhead);
    const run = aRun(1, { completedAt });
    const contestant = toContestant(run, acceptedAt);
    if (isAhead) expect(contestant).toBeNull();
    else
      expect(contestant).toEqual({ supersessionKey: supersessionKey(run), instant: sortableInstant({ completedAt }) });
  },
);

test('a contest · is of one device and one configuration · whatever their ids hold', () => {
  const contest = (deviceId: string, hardwareConfigurationId: string) =>
    supersessionKey({ deviceId, hardwareConfigurationId });
  expect(contest('a', 'b')).toBe(contest('a', 'b'));
  expect(new Set([contest('a', 'b'), contest('a', 'c'), contest('c', 'b'), contest('a","b', '')]).size).toBe(4);
});
