// A promise with a deadline: what comes first counts, the timer is gone with it, and what comes later disturbs nobody.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { within } from '../src/deadline.ts';

const unhandled = vi.fn();
beforeEach(() => {
  vi.useFakeTimers();
  process.on('unhandledRejection', unhandled);
});
afterEach(() => {
  process.off('unhandledRejection', unhandled);
  vi.useRealTimers();
});

const someMs = fc.integer({ min: 1, max: 20 });
const after = (ms: number, isGood: boolean) =>
  new Promise<string>((resolve, reject) =>
    setTimeout(() => (isGood ? resolve('kept') : reject(new Error('broken'))), ms),
  );

test('a promise kept or broken in time or too late · settles as what came first · and leaves no timer', async () => {
  await fc.assert(
    fc.asyncProperty(someMs, fc.boolean(), someMs, async (ms, isGood, timeoutMs) => {
      const settled = within(after(ms, isGood), timeoutMs).catch((error: unknown) => (error as Error).message);
      await vi.advanceTimersByTimeAsync(Math.min(ms, timeoutMs) + 1);
      // What is due at the same time goes in the order it was asked for.
      const isInTime = ms <= timeoutMs;
      expect(await settled).toBe(isInTime ? (isGood ? 'kept' : 'broken') : `no answer within ${timeoutMs} ms`);
      if (isInTime) expect(vi.getTimerCount()).toBe(0);
      await vi.runAllTimersAsync();
      expect(vi.getTimerCount()).toBe(0);
    }),
  );
  expect(unhandled).not.toHaveBeenCalled();
});

test('a time that is over before it begins · is enough for what is there already · and for nothing else', async () => {
  expect(await within(Promise.resolve('there'), -5)).toBe('there');
  const late = expect(within(after(10, true), -5)).rejects.toThrow('no answer within -5 ms');
  await vi.advanceTimersByTimeAsync(2);
  await late;
});
