// A replica that is too far behind: waited for at first, then passed over, and waited for again now and then.
import { expect, test } from 'vitest';
import { createSlowReplicas } from '../../../../src/queue/redis/replicas/slow-replicas.ts';

const SECOND = 1000;

function follow(minReplicas = 1) {
  let now = 0;
  const slow = createSlowReplicas(minReplicas, () => now);
  return {
    /** Waits for as many as are enough, every half second for so long; this many confirm. @returns how many were enough each time */
    wait: (forMs: number, { needed, confirm }: { needed: number; confirm: number }): number[] => {
      const enough: number[] = [];
      for (const end = now + forMs; now < end; now += SECOND / 2) {
        const waitedFor = slow.enough(needed);
        slow.note({ waitedFor, needed, confirmed: Math.min(confirm, waitedFor) });
        enough.push(slow.enough(needed));
      }
      return enough;
    },
    pause: (ms: number) => (now += ms),
  };
}

const countOf = (found: number[], wanted: number) => found.filter((one) => one === wanted).length;

test('one of two that confirms nothing · for 15 seconds · is no longer waited for', () => {
  const { wait } = follow();
  expect(new Set(wait(15 * SECOND, { needed: 2, confirm: 1 }))).toEqual(new Set([2]));
  expect(new Set(wait(60 * SECOND, { needed: 2, confirm: 1 }))).toEqual(new Set([1]));
});

test('one that has caught up · is waited for again within ten seconds · and has another 15', () => {
  const { wait } = follow();
  wait(20 * SECOND, { needed: 2, confirm: 1 });
  const after = wait(20 * SECOND, { needed: 2, confirm: 2 });
  expect(after.lastIndexOf(1)).toBeLessThan(20);
  expect(new Set(wait(14 * SECOND, { needed: 2, confirm: 1 }))).toEqual(new Set([2]));
});

test('another one that joins meanwhile · is waited for', () => {
  const { wait } = follow();
  wait(16 * SECOND, { needed: 2, confirm: 1 });
  expect(wait(SECOND, { needed: 3, confirm: 2 })).toEqual([2, 2]);
});

test('fewer than the number that is set · are never enough', () => {
  expect(countOf(follow(2).wait(60 * SECOND, { needed: 2, confirm: 1 }), 2)).toBe(120);
  expect(new Set(follow(2).wait(60 * SECOND, { needed: 3, confirm: 1 }))).toEqual(new Set([3, 2]));
});

test('waits that fail now and then · with a quarter of a minute between · tell nothing', () => {
  const { wait, pause } = follow();
  for (let time = 0; time < 10; time += 1) {
    expect(wait(SECOND, { needed: 2, confirm: 1 })).toEqual([2, 2]);
    pause(15 * SECOND);
  }
});

test('a wait that succeeds · begins the 15 seconds anew', () => {
  const { wait } = follow();
  for (let time = 0; time < 5; time += 1) {
    expect(countOf(wait(10 * SECOND, { needed: 2, confirm: 1 }), 1)).toBe(0);
    wait(SECOND, { needed: 2, confirm: 2 });
  }
});
