// Priorities: which rank each run state has.
import { describe, expect, test } from 'vitest';
import { rank } from '../../src/domain/priority.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import { aRun } from '../support/tenant.ts';

describe('rank', () => {
  test.each<[string, Partial<RunResult>, number]>([
    ['fail', { state: 'fail' }, 0],
    ['scriptError', { state: 'scriptError' }, 0],
    ['an exit code that means fail', { exitCode: 5 }, 0],
    ['pending', { state: 'pending' }, 1],
    ['an exit code that means a reboot', { exitCode: 3010 }, 1],
    ['success', { state: 'success' }, 2],
    ['an exit code that means success', { exitCode: 0 }, 2],
    ['a state that wins over its exit code', { state: 'success', exitCode: 5 }, 2],
    ['notApplicable', { state: 'notApplicable' }, 2],
    ['unknown', { state: 'unknown' }, 2],
  ])('%s · is ranked by the state that Graph will get · and all rank alike with `fifo`', (_, members, is) => {
    expect(rank(aRun(1, members), 'failures-first')).toBe(is);
    expect(rank(aRun(1, members), 'fifo')).toBe(2);
  });
});
