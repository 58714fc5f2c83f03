// Forecasts: arithmetic an operator can check by hand.
import { expect, test } from 'vitest';
import { drainSeconds, expectedCreateAt, secondsToCreate } from '../../../src/domain/operations/forecast.ts';
import { aHold, aSnapshot } from '../sample.ts';

const snapshot = aSnapshot({ now: 1000 });
const until = (instant: number) => ({ ...snapshot, throttle: { since: 0, until: instant } });

test('a backlog · takes its number by the present pace · and what is left of a throttle', () => {
  expect(secondsToCreate(0, until(99_000))).toBe(0);
  expect(secondsToCreate(18_000, snapshot)).toBe(3600);
  expect(secondsToCreate(5, until(11_000))).toBe(11);
  expect(secondsToCreate(5, until(500))).toBe(1);
});

test('what one configuration’s hold keeps back · takes no part in draining · unless the whole tenant is held', () => {
  const counts = { ...snapshot.counts, queued: 300, delivering: 50, waiting: 50, delivered: 9000, dead: 70 };
  const kept = { ...snapshot, counts, parked: { 'create:one': 90, 'look:one': 10 } };
  expect(drainSeconds({ ...snapshot, counts })).toBe(80);
  expect(drainSeconds(kept)).toBe(60);
  expect(drainSeconds({ ...kept, holds: [aHold] })).toBe(80);
  expect(drainSeconds({ ...kept, counts: { ...counts, queued: 0, waiting: 0 } })).toBe(0);
});

test('a delivery · is created after those ahead of it · and nobody knows when while everyone is held', () => {
  expect(expectedCreateAt(0, snapshot)).toBe(1200);
  expect(expectedCreateAt(49, snapshot)).toBe(11_000);
  expect(expectedCreateAt(0, { ...snapshot, holds: [aHold] })).toBeNull();
});
