// The watchdog: progress is what counts, Redis away is no fault of the worker's, one rebuild before giving up.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWatchdog, type Watchdog } from '../../../src/queue/jobs/watchdog.ts';

let now: number;
let waiting: number | 'redis is away';
let room: boolean;
let begun: number;
let rebuilds: number;
let watchdog: Watchdog;

beforeEach(() => {
  [now, waiting, room, begun, rebuilds] = [0, 5, true, 7, 0];
  watchdog = createWatchdog({
    countWaiting: () => (waiting === 'redis is away' ? Promise.reject(new Error('away')) : Promise.resolve(waiting)),
    hasRoom: () => room,
    countBegun: () => begun,
    rebuild: () => {
      rebuilds += 1;
      return Promise.resolve();
    },
    onStarved: () => undefined,
    clock: () => now,
  });
});
afterEach(() => watchdog.close());

async function looks(...instants: number[]): Promise<void> {
  for (const at of instants) {
    now = at;
    await watchdog.look();
  }
}

test('work waits and nothing is begun · the worker is rebuilt once · then given up', async () => {
  await looks(0, 10_000, 19_999);
  expect(rebuilds).toBe(0);
  await looks(20_000, 30_000, 59_999);
  expect(rebuilds).toBe(1);
  expect(watchdog.isAlive()).toBe(true);
  await looks(60_000);
  expect(watchdog.isAlive()).toBe(false);
});

test('a worker that begins something · is not starved · and is watched from the start again', async () => {
  await looks(0, 15_000);
  begun += 1;
  await looks(21_000, 25_000, 40_000);
  expect(rebuilds).toBe(0);
  await looks(45_000);
  expect(rebuilds).toBe(1);
  begun += 1;
  await looks(70_000);
  expect(watchdog.isAlive()).toBe(true);
});

test.each([
  ['nothing waits', () => (waiting = 0)],
  ['the worker is full', () => (room = false)],
  ['Redis is away', () => (waiting = 'redis is away')],
])('%s · that is no starving · however long', async (_, arrange) => {
  arrange();
  await looks(0, 30_000, 90_000, 300_000);
  expect(rebuilds).toBe(0);
  expect(watchdog.isAlive()).toBe(true);
});
