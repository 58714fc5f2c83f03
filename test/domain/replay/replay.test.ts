// What operators may do with a replay at a rate, by its state: done, done already, or too late.
import { expect, test } from 'vitest';
import {
  decideReplayState,
  isOpenReplay,
  REPLAY_STATES,
  type ReplayOperation,
  type ReplayState,
} from '../../../src/domain/replay/replay.ts';

test.each<[ReplayOperation, Record<ReplayState, ReplayState | null>]>([
  ['pause', { running: 'paused', paused: 'paused', done: null, cancelled: null }],
  ['resume', { running: 'running', paused: 'running', done: null, cancelled: null }],
  ['cancel', { running: 'cancelled', paused: 'cancelled', done: null, cancelled: 'cancelled' }],
])('%s · leads to a state · or is too late', (operation, expected) => {
  const decided = REPLAY_STATES.map((state) => [state, decideReplayState(state, operation)]);
  expect(Object.fromEntries(decided)).toEqual(expected);
});

test('running and paused ones · are open · others have ended', () => {
  expect(REPLAY_STATES.filter(isOpenReplay)).toEqual(['running', 'paused']);
});
