// When a device sends again: the rules themselves, and that the sh agent keeps the same.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decideNotBefore, decideTurn, LONGEST_WAIT_S, NO_FAILURE, toBackoffS } from '../../src/device/sending/wait.ts';
import { fc } from '../support/properties.ts';

const nowS = 1_764_200_000;

test('a backoff · is half as long again as the one before · from about 15 s to 15 minutes', () => {
  const backoffs = [toBackoffS(0, () => 0)];
  while (backoffs.length < 13) backoffs.push(toBackoffS(backoffs.at(-1) ?? 0, () => 0.5));
  expect(backoffs).toEqual([15, 22, 33, 49, 73, 109, 163, 244, 366, 549, 823, 900, 900]);
  expect(toBackoffS(0, () => 0.999)).toBe(22);
  expect(toBackoffS(1, () => 0.5)).toBe(15);
  expect(toBackoffS(1e9, () => 0.5)).toBe(900);
});

test('a failure · is waited out · its jitter on top', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 900 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (lastBackoffS, dice) => {
        const failure = { nowS, lastBackoffS, retryAfterS: undefined, random: () => dice };
        const { atS, backoffS, chosenBy } = decideNotBefore(failure);
        expect(backoffS).toBe(toBackoffS(lastBackoffS, () => dice));
        expect(chosenBy).toBe('agent');
        expect(atS - nowS).toBeGreaterThanOrEqual(backoffS);
        expect(atS - nowS).toBeLessThan(2 * backoffS);
      },
    ),
  );
});

test.each([
  [0, 0],
  [31, 31],
  [86_400, 86_400],
  [31_536_000, LONGEST_WAIT_S],
])('a Retry-After of %i s · is obeyed · for %i s', (retryAfterS, waitS) => {
  const notBefore = decideNotBefore({ nowS: nowS + 0.9, lastBackoffS: 40, retryAfterS, random: () => 0.5 });
  expect(notBefore).toEqual({ atS: nowS + waitS, backoffS: 60, chosenBy: 'server' });
});

test.each([
  ['without failures', NO_FAILURE, true, { kind: 'now', afterS: 0 }],
  ['too early', { atS: nowS + 9, backoffS: 15, chosenBy: 'agent' }, true, { kind: 'not-yet', aheadS: 9 }],
  ['too early, but not waiting', { atS: nowS + 9, backoffS: 15, chosenBy: 'agent' }, false, { kind: 'now', afterS: 0 }],
  [
    'before the server’s time',
    { atS: nowS + 9, backoffS: 15, chosenBy: 'server' },
    false,
    { kind: 'not-yet', aheadS: 9 },
  ],
  ['after a failure', { atS: nowS, backoffS: 60, chosenBy: 'agent' }, true, { kind: 'now', afterS: 30 }],
  ['a wrong clock', { atS: nowS + 86_401, backoffS: 15, chosenBy: 'server' }, true, { kind: 'now', afterS: 7 }],
] as const)('a turn %s · comes as it must', (_when, notBefore, waits, turn) => {
  expect(decideTurn(notBefore, { nowS, waits, random: () => 0.5 })).toEqual(turn);
});

test('the sh agent · has the same numbers', () => {
  const script = readFileSync('src/agent/report-run.sh', 'utf8');
  const numberOf = (name: string) => Number(new RegExp(`^${name}=(\\d+)`, 'm').exec(script)?.[1]);
  expect({
    first: numberOf('FIRST_BACKOFF_S'),
    jitter: numberOf('FIRST_JITTER_S'),
    longest: numberOf('LONGEST_BACKOFF_S'),
    wait: numberOf('LONGEST_WAIT_S'),
  }).toEqual({
    first: toBackoffS(0, () => 0),
    jitter: toBackoffS(0, () => 0.999) - toBackoffS(0, () => 0) + 1,
    longest: toBackoffS(1e9, () => 0),
    wait: LONGEST_WAIT_S,
  });
  // The jitter of a failure, and the random wait before the first send after failures: each up to one backoff more.
  expect(script).toContain('wait_s=$((BACKOFF_S + $(random_below "$BACKOFF_S")))');
  expect(script).toContain('sleep "$(random_below "$BACKOFF_S")"');
  expect(script).toContain('seconds=$((BACKOFF_S * 3 / 2))');
});
