// What a device hears by what is remembered of the directory's word, and what the directory is asked: tables without a clock.
import { describe, expect, test } from 'vitest';
import { consult, type Consultation, type Remembered } from '../../../src/domain/directory/consult.ts';
import { probeDelayMs } from '../../../src/domain/directory/directory-answer.ts';
import { freshnessOf, isUnused, isUseWorthNoting, spreadOf } from '../../../src/domain/directory/freshness.ts';
import { judgeDevice, type DirectoryRequirement } from '../../../src/domain/directory/judge-device.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const MAX_AGE_MS = 24 * HOUR_MS;
const NOW = 1_800_000_000_000;
const DEVICE_ID = '0b6c2b0e-9d0b-4d54-8a39-5a7ff0cbb400';

describe('a device', () => {
  test.each<[string, boolean, boolean, string[], DirectoryRequirement, string | null]>([
    ['as it should be', true, true, ['key'], 'managed', null],
    ['with several keys', true, true, ['old', 'key', 'new'], 'managed', null],
    ['not managed', true, false, ['key'], 'managed', 'the device is not managed by Intune'],
    ['not managed, where enabled is enough', true, false, ['key'], 'enabled', null],
    ['disabled', false, true, ['key'], 'managed', 'the device is disabled in the directory'],
    ['disabled, where enabled is enough', false, true, ['key'], 'enabled', 'the device is disabled in the directory'],
    ['of another key', true, true, ['other'], 'enabled', 'the directory names another key for the device'],
    ['without keys', true, true, [], 'enabled', 'the directory names another key for the device'],
    // Who does not hold the device's key learns nothing about the device.
    [
      'of another key and disabled',
      false,
      false,
      ['other'],
      'managed',
      'the directory names another key for the device',
    ],
  ])('%s · is judged', (_what, isEnabled, isManaged, keys, requirement, reason) => {
    const expected = reason === null ? { kind: 'good' } : { kind: 'bad', reason };
    expect(judgeDevice({ isEnabled, isManaged, keys }, 'key', requirement)).toEqual(expected);
  });
});

test.each([
  [0, 0, 'fresh'],
  [-5 * MINUTE_MS, 0, 'fresh'],
  [-HOUR_MS, 0, 'stale'],
  [12 * HOUR_MS - 1, 0, 'fresh'],
  [12 * HOUR_MS, 0, 'ageing'],
  [15 * HOUR_MS - 1, 0.5, 'fresh'],
  [15 * HOUR_MS, 0.5, 'ageing'],
  [18 * HOUR_MS - 1, 1, 'fresh'],
  [18 * HOUR_MS, 1, 'ageing'],
  [24 * HOUR_MS - 1, 1, 'ageing'],
  [24 * HOUR_MS, 0, 'stale'],
  [168 * HOUR_MS - 1, 0, 'stale'],
  [168 * HOUR_MS, 0, 'expired'],
])('a word %d ms old · of a device with the spread %d · is %s', (ageMs, spread, freshness) => {
  expect(freshnessOf(ageMs, MAX_AGE_MS, spread)).toBe(freshness);
});

test('the spread of a device · is from 0 to 1 · by the end of its id', () => {
  const spreads = ['00', '80', 'ff'].map((end) => spreadOf(`${DEVICE_ID.slice(0, -2)}${end}`));
  expect(spreads).toEqual([0, 128 / 255, 1]);
});

test('a use · is noted after a quarter of the maximum age · and a device unused for seven times it is forgotten', () => {
  const noted = [6 * HOUR_MS - 1, 6 * HOUR_MS].map((ms) => isUseWorthNoting(ms, MAX_AGE_MS));
  const unused = [168 * HOUR_MS - 1, 168 * HOUR_MS].map((ms) => isUnused(ms, MAX_AGE_MS));
  expect([noted, unused]).toEqual([
    [false, true],
    [false, true],
  ]);
});

test('probes · wait twice as long each time · from 2 s up to 30 s, half of it left to chance', () => {
  const waits = (dice: number) => [0, 1, 2, 3, 4, 50, 5000].map((probes) => probeDelayMs(probes, dice));
  expect(waits(1)).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  expect(waits(0)).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
});

describe('consulted', () => {
  const known = (ageMs: number, changes: object = {}): Remembered => {
    const device = { isEnabled: true, isManaged: true, keys: ['key'], askedAt: NOW - ageMs, usedAt: NOW };
    return { kind: 'known', device: { ...device, ...changes } };
  };
  const absent = (ageMs: number): Remembered => ({ kind: 'absent', askedAt: NOW - ageMs });
  const refresh = (wait: boolean): Consultation['ask'] => ({ question: 'refresh', wait });

  test.each<[string, Remembered, string, Consultation['ask']]>([
    ['a device never asked about', { kind: 'never-asked' }, 'unknown', { question: 'unknown', wait: true }],
    ['one that was not there just now', absent(10 * MINUTE_MS - 1), 'bad', null],
    ['one that was not there 10 minutes ago', absent(10 * MINUTE_MS), 'bad', { question: 'unknown', wait: true }],
    ['a word from minutes ahead, as clocks differ', known(-5 * MINUTE_MS), 'good', null],
    ['a word from an hour ahead, as a clock stepped back', known(-HOUR_MS), 'good', refresh(true)],
    ['a fresh word', known(12 * HOUR_MS - 1), 'good', null],
    ['an ageing word', known(12 * HOUR_MS), 'good', refresh(false)],
    ['a stale word', known(24 * HOUR_MS), 'good', refresh(true)],
    ['an expired word', known(168 * HOUR_MS), 'unknown', refresh(true)],
    ['a refusal of just now', known(10 * MINUTE_MS - 1, { isEnabled: false }), 'bad', null],
    [
      'a refusal 10 minutes old',
      known(10 * MINUTE_MS, { isManaged: false }),
      'bad',
      { question: 'mismatch', wait: true },
    ],
    ['another key, shown just now', known(0, { keys: ['other'] }), 'bad', null],
    [
      'another key, shown to an expired word',
      known(168 * HOUR_MS, { keys: ['other'] }),
      'bad',
      { question: 'mismatch', wait: true },
    ],
  ])('%s · is answered · and asked about if need be', (_what, remembered, verdict, ask) => {
    const rules = { requirement: 'managed', maxAgeMs: MAX_AGE_MS } as const;
    const consultation = consult({ remembered, shown: { deviceId: DEVICE_ID, keyDigest: 'key' }, rules, now: NOW });
    expect([consultation.verdict.kind, consultation.ask]).toEqual([verdict, ask]);
  });
});
