// How many replicas count: a table of what a primary sees while replicas come, go, and one of them is promoted.
import { expect, test } from 'vitest';
import {
  countNeeded,
  parsePresent,
  parseSeen,
  toSeenText,
  type Seen,
} from '../../../../src/queue/redis/replicas/replicas-seen.ts';

const T = 1_795_000_000_000;
const present = (online: number, at = T, history = 'a', historyBefore = '0') => ({
  online,
  history,
  historyBefore,
  at,
});
const seen = (online: number, fewerSince: number | null = null, history = 'a'): Seen => ({
  online,
  history,
  fewerSince,
});

test.each<[string, Seen | null, ReturnType<typeof present>, number, Seen]>([
  ['nothing known', null, present(2), 2, seen(2)],
  ['nothing known and none there', null, present(0), 1, seen(0)],
  ['all there', seen(2), present(2), 2, seen(2)],
  ['one more', seen(1), present(2), 2, seen(2)],
  ['one gone', seen(2), present(1), 2, seen(2, T)],
  ['one gone for a while', seen(2, T - 9999), present(1), 2, seen(2, T - 9999)],
  ['one gone for long', seen(2, T - 10_000), present(1), 1, seen(1)],
  ['one back in time', seen(2, T - 9999), present(2), 2, seen(2)],
  ['restarted, and one not back yet', seen(2), present(1, T, 'b'), 2, seen(2, T, 'b')],
  ['promoted, the old primary gone', seen(2), present(1, T, 'b', 'a'), 1, seen(1, null, 'b')],
  ['promoted before that', seen(1, null, 'b'), present(1, T, 'b', 'a'), 1, seen(1, null, 'b')],
  ['one gone, and the clock stepped back', seen(2, T + 3_600_000), present(1), 2, seen(2, T)],
])('%s · the number needed · and what is kept', (_what, before, now, needed, after) => {
  expect(countNeeded(before, now, 1)).toEqual({ needed, seen: after });
});

test('more asked for than there are · as many are needed · whatever was seen', () => {
  expect(countNeeded(seen(1), present(1), 2).needed).toBe(2);
});

test('what is kept · reads back the same · and rubbish is nothing', () => {
  for (const kept of [seen(2), seen(0, T)]) expect(parseSeen(toSeenText(kept))).toEqual(kept);
  for (const rubbish of [null, '', '1', 'x a ']) expect(parseSeen(rubbish)).toBeNull();
});

test('INFO of a primary · has those that are up to date · and both histories', () => {
  const info = [
    '# Replication',
    'role:master',
    'connected_slaves:2',
    'slave0:ip=127.0.0.1,port=1,state=online,offset=10,lag=0',
    'slave1:ip=127.0.0.1,port=2,state=wait_bgsave,offset=0,lag=0',
    'slave2:ip=127.0.0.1,port=3,state=online,offset=4,lag=16',
    'master_replid:0123abcd',
    'master_replid2:0000000000000000000000000000000000000000',
  ].join('\r\n');
  expect(parsePresent(info, T)).toEqual(present(1, T, '0123abcd', '0000000000000000000000000000000000000000'));
});
