// Forecasts: arithmetic an operator can check by hand.
import { expect, test } from 'vitest';
import { drainSeconds, expectedCreateAt, type Prospect } from '../../../src/domain/operations/forecast.ts';

const prospect: Prospect = { writesPer20s: 100, throttledUntil: null, held: false };

test('a backlog · takes its number by the present pace · and what is left of a throttle', () => {
  expect(drainSeconds(0, { ...prospect, throttledUntil: 99_000 }, 1000)).toBe(0);
  expect(drainSeconds(18_000, prospect, 1000)).toBe(3600);
  expect(drainSeconds(5, { ...prospect, throttledUntil: 11_000 }, 1000)).toBe(11);
  expect(drainSeconds(5, { ...prospect, throttledUntil: 500 }, 1000)).toBe(1);
});

test('a delivery · is created after those ahead of it · and nobody knows when while everyone is held', () => {
  expect(expectedCreateAt(0, prospect, 1000)).toBe(1200);
  expect(expectedCreateAt(49, prospect, 1000)).toBe(11_000);
  expect(expectedCreateAt(0, { ...prospect, held: true }, 1000)).toBeNull();
});
