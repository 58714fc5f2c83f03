// Which run results the backlog has room for: a table of bytes, memory and age, each limit with its way back.
import { describe, expect, test } from 'vitest';
import {
  decideBacklogState,
  hasRoomFor,
  roomBytes,
  type Backlog,
  type BacklogLimits,
  type Room,
} from '../../../src/domain/operations/backlog.ts';
import type { RunResult } from '../../../src/domain/submission/run-result.ts';
import { aRun } from '../../support/tenant.ts';

const HOUR_MS = 3_600_000;
const NOW = 1_000 * HOUR_MS;
const MIB = 1_048_576;
const EMPTY: Backlog = { openBytes: 0, openCount: 0, oldestOpenAt: null, usedBytes: 0, maxmemoryBytes: null };
const BYTES: BacklogLimits = { maxBytes: 100 * MIB, maxAgeMs: null };
const AGE: BacklogLimits = { maxBytes: null, maxAgeMs: 2 * HOUR_MS };
const UNLIMITED: BacklogLimits = { maxBytes: null, maxAgeMs: null };
const open = (mib: number): Partial<Backlog> => ({ openBytes: mib * MIB });
/** Of the 80 MiB that submissions may fill of 100. */
const used = (mib: number): Partial<Backlog> => ({ usedBytes: mib * MIB, maxmemoryBytes: 100 * MIB });
const aged = (hours: number): Partial<Backlog> => ({ oldestOpenAt: NOW - hours * HOUR_MS });

const decide = (backlog: Partial<Backlog>, limits: BacklogLimits, known: Room) =>
  decideBacklogState({ backlog: { ...EMPTY, ...backlog }, limits, known, now: NOW });

describe('what there is room for', () => {
  test.each<[string, Partial<Backlog>, BacklogLimits, Record<Room, Room>]>([
    // The room now, by the room that was known before.
    ['no limit', open(1e6), UNLIMITED, { all: 'all', failures: 'all', none: 'all' }],
    ['85 % of the bytes', open(85), BYTES, { all: 'all', failures: 'all', none: 'all' }],
    ['86 % of the bytes', open(86), BYTES, { all: 'all', failures: 'failures', none: 'failures' }],
    ['89.9 % of the bytes', open(89.9), BYTES, { all: 'all', failures: 'failures', none: 'failures' }],
    ['90 % of the bytes', open(90), BYTES, { all: 'failures', failures: 'failures', none: 'failures' }],
    ['95 % of the bytes', open(95), BYTES, { all: 'failures', failures: 'failures', none: 'none' }],
    ['99.9 % of the bytes', open(99.9), BYTES, { all: 'failures', failures: 'failures', none: 'none' }],
    ['all bytes', open(100), BYTES, { all: 'none', failures: 'none', none: 'none' }],
    ['68 % of maxmemory', used(68), UNLIMITED, { all: 'all', failures: 'all', none: 'all' }],
    ['72 % of maxmemory', used(72), UNLIMITED, { all: 'failures', failures: 'failures', none: 'failures' }],
    ['80 % of maxmemory', used(80), UNLIMITED, { all: 'none', failures: 'none', none: 'none' }],
    [
      'few bytes, much memory',
      { ...open(1), ...used(75) },
      BYTES,
      { all: 'failures', failures: 'failures', none: 'failures' },
    ],
    ['young', aged(1.9), AGE, { all: 'all', failures: 'all', none: 'all' }],
    ['as old as may be', aged(2), AGE, { all: 'none', failures: 'none', none: 'none' }],
  ])('%s · leaves room · by what was known before', (_what, backlog, limits, expected) => {
    const rooms: Room[] = ['all', 'failures', 'none'];
    expect(Object.fromEntries(rooms.map((known) => [known, decide(backlog, limits, known).room]))).toEqual(expected);
  });

  test('two limits · the worse one is the reason · and is named', () => {
    const { room, reason } = decide({ ...open(92), ...used(80) }, BYTES, 'all');
    expect({ room, reason }).toEqual({ room: 'none', reason: 'Redis holds 80 MiB, and maxmemory are 100 MiB' });
    expect(decide({ ...open(92), ...aged(3) }, { ...BYTES, ...AGE, maxBytes: 100 * MIB }, 'all').reason).toMatch(
      /oldest/,
    );
  });
});

describe('who has room', () => {
  const FAILED: [string, Partial<RunResult>][] = [
    ['fail', { state: 'fail' }],
    ['scriptError', { state: 'scriptError' }],
    ['exit code 5', { state: undefined, exitCode: 5 }],
    ['fail with exit code 0', { state: 'fail', exitCode: 0 }],
  ];
  const OTHERS: [string, Partial<RunResult>][] = [
    ['success', { state: 'success' }],
    ['pending', { state: 'pending' }],
    ['notApplicable', { state: 'notApplicable' }],
    ['unknown', { state: 'unknown' }],
    ['exit code 0', { state: undefined, exitCode: 0 }],
    ['exit code 3010', { state: undefined, exitCode: 3010 }],
    ['success with exit code 5', { state: 'success', exitCode: 5 }],
  ];
  const roomsFor = (members: Partial<RunResult>) =>
    (['all', 'failures', 'none'] as const).filter((room) => hasRoomFor(room, aRun(1, members)));
  const bytesFor = (members: Partial<RunResult>, backlog: Partial<Backlog>) =>
    roomBytes({ ...EMPTY, ...backlog }, BYTES, aRun(1, members)) / MIB;

  test.each(FAILED)('%s · has the last tenth · as failed', (_what, members) => {
    expect(roomsFor(members)).toEqual(['all', 'failures']);
    expect(bytesFor(members, open(89))).toBeCloseTo(11);
    expect(bytesFor(members, { ...open(89), ...used(70) })).toBeCloseTo(10);
  });
  test.each(OTHERS)('%s · has not · as it did not fail', (_what, members) => {
    expect(roomsFor(members)).toEqual(['all']);
    expect(bytesFor(members, open(89))).toBeCloseTo(1);
    expect(bytesFor(members, { ...open(1), ...used(70) })).toBeCloseTo(2);
  });
});
