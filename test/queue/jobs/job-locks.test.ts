// Locks of jobs in hand: prolonged by a timer whatever the wall clock does, and told where they are lost.
import { afterEach, expect, test } from 'vitest';
import { createLocks, type Locks } from '../../../src/queue/jobs/job-locks.ts';
import { until } from '../../support/until.ts';

const LOCK_MS = 80;
const trueNow = Date.now;
let locks: Locks | null = null;

afterEach(() => {
  Date.now = trueNow;
  locks?.close();
});

test('a wall clock that steps back an hour · prolongs as before', async () => {
  const prolonged: string[][] = [];
  locks = createLocks(
    (ids, tokens, lockMs) => {
      prolonged.push([...ids, ...tokens, String(lockMs)]);
      return Promise.resolve([]);
    },
    LOCK_MS,
    () => undefined,
  );
  const lost = locks.keep('job', 'token');
  await until('it is prolonged', () => prolonged.length > 0);
  Date.now = () => trueNow() - 3_600_000;
  const before = prolonged.length;
  await until('it is prolonged again', () => prolonged.length > before + 2);
  expect(prolonged.at(-1)).toEqual(['job', 'token', String(LOCK_MS)]);
  expect(lost.aborted).toBe(false);
  locks.release('job', 'token');
});

test('a lock that is lost · is reported · and so is one whose job came again', async () => {
  locks = createLocks(
    (ids) => Promise.resolve(ids.filter((id) => id === 'lost')),
    LOCK_MS,
    () => undefined,
  );
  const [kept, lost, first] = [locks.keep('kept', '1'), locks.keep('lost', '2'), locks.keep('twice', '3')];
  const second = locks.keep('twice', '4');
  expect(first.aborted).toBe(true);
  locks.release('twice', '3');
  await until('the loss is told', () => lost.aborted);
  expect([kept.aborted, second.aborted]).toEqual([false, false]);
});

test('Redis in trouble · is reported · and the next time counts', async () => {
  const troubles: string[] = [];
  let calls = 0;
  locks = createLocks(
    () => ((calls += 1) === 1 ? Promise.reject(new Error('away')) : Promise.resolve(['job'])),
    LOCK_MS,
    ({ message }) => troubles.push(message),
  );
  const lost = locks.keep('job', 'token');
  await until('it is lost', () => lost.aborted);
  expect(troubles).toEqual(['away']);
});
