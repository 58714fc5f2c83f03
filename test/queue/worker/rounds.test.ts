// When a tenant's waiting list is looked after: often while something is open, rarely otherwise, and at once when woken.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startRounds, type Rounds } from '../../../src/queue/worker/rounds.ts';

let open: number;
let counted: number;
let promoted: number;
let swept: number;
let tidied: number;
let rounds: Rounds;

beforeEach(() => {
  vi.useFakeTimers();
  [open, counted, promoted, swept, tidied] = [0, 0, 0, 0, 0];
  rounds = startRounds({
    countOpen: () => Promise.resolve((counted += 1)).then(() => open),
    promote: () => Promise.resolve(void (promoted += 1)),
    sweep: () => Promise.resolve(void (swept += 1)),
    tidy: () => Promise.resolve(void (tidied += 1)),
    random: () => 0.5,
  });
});
afterEach(() => {
  rounds.close();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('nothing is open · a look every five seconds · which also tidies up', async () => {
  await pass(60_000);
  expect(counted).toBeGreaterThanOrEqual(12);
  expect(counted).toBeLessThanOrEqual(13);
  expect([promoted, swept]).toEqual([0, 0]);
  expect(tidied).toBe(counted);
});

test('something is open · is promoted twice a second · and swept every five seconds', async () => {
  open = 3;
  await pass(60_000);
  expect(promoted).toBeGreaterThan(110);
  expect(swept).toBeGreaterThanOrEqual(11);
  expect(swept).toBeLessThanOrEqual(13);
});

test('what a process that died left · is found · at the next look', async () => {
  await pass(20_000);
  open = 1;
  await pass(5000);
  expect(promoted).toBeGreaterThan(0);
});

test('a job that comes · begins frequent rounds at once · which end when nothing is open any more', async () => {
  await pass(10_250);
  rounds.wake();
  await pass(1100);
  expect(promoted).toBe(2);
  await pass(60_000);
  expect(promoted).toBeLessThan(12);
});

test('a job that comes while it is counted · is not overlooked', async () => {
  await pass(249);
  const counting = pass(1);
  rounds.wake();
  await counting;
  await pass(1000);
  expect(promoted).toBeGreaterThan(0);
});

test('closed · nothing is done any more', async () => {
  open = 1;
  await pass(1000);
  rounds.close();
  const before = promoted;
  await pass(60_000);
  expect(promoted).toBe(before);
});
