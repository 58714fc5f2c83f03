// A write that Redis refuses: repeated with backoff, for a bounded time, and a last time where the lock is lost.
import { expect, test } from 'vitest';
import { createPersist } from '../../../src/queue/worker/persist.ts';

const refusal = (message = 'OOM command not allowed when used memory > maxmemory') =>
  Object.assign(new Error(message), { name: 'ReplyError' });

/** A write that is refused this many times. */
function refusedTimes(times: number, error: Error = refusal()) {
  const calls: number[] = [];
  const write = () => {
    calls.push(performance.now());
    return calls.length > times ? Promise.resolve('stored') : Promise.reject(error);
  };
  return { calls, write };
}

const never = () => new AbortController().signal;

test.each([
  'OOM command not allowed when used memory > maxmemory',
  "NOPERM User default has no permissions to run the 'hincrby' command",
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'Too many Cluster redirections. Last error: ReplyError: TRYAGAIN Multiple keys request during rehashing of slot',
])('%s · is repeated, later each time · and reported once', async (message) => {
  const reported: Error[] = [];
  const persist = createPersist({ lockLost: never(), onRefused: (error) => reported.push(error) });
  const error = message.startsWith('Too many') ? new Error(message) : refusal(message);
  const { calls, write } = refusedTimes(2, error);
  expect(await persist(write)).toBe('stored');
  const [first = 0, second = 0, third = 0] = calls;
  expect(third - second).toBeGreaterThan(second - first);
  expect(reported).toEqual([error]);
});

test('refused for too long · gives up · with what Redis said', async () => {
  const persist = createPersist({ lockLost: never(), onRefused: () => undefined, repeatForMs: 250 });
  const { calls, write } = refusedTimes(1000);
  await expect(persist(write)).rejects.toThrow('OOM');
  const [first = 0, last = 0] = [calls[0], calls.at(-1)];
  expect(last - first).toBeGreaterThanOrEqual(249);
  expect(calls.filter((at) => at - first >= 250).length).toBeLessThanOrEqual(1);
});

test('a lock that is lost while it waits · allows one more try · at once', async () => {
  const lock = new AbortController();
  const persist = createPersist({ lockLost: lock.signal, onRefused: () => lock.abort() });
  const { calls, write } = refusedTimes(1000);
  await expect(persist(write)).rejects.toThrow('OOM');
  expect(calls).toHaveLength(2);
});

test('an error of another kind · is not repeated', async () => {
  const persist = createPersist({ lockLost: never(), onRefused: () => undefined });
  const { calls, write } = refusedTimes(1, new TypeError('a bug'));
  await expect(persist(write)).rejects.toThrow('a bug');
  expect(calls).toHaveLength(1);
});
