// The throttle as a pure function: how much passes, how long it says to wait, and that the wait suffices.
import { describe, expect, test } from 'vitest';

import { admit, emptyLimiter } from '../../../src/sandbox/graph/limiter.ts';
import type { Access, LimiterSettings, LimiterState } from '../../../src/sandbox/graph/limiter.ts';
import { fc } from '../../support/properties.ts';

const base: LimiterSettings = {
  kind: 'fixed-window',
  writesPer20s: 3,
  directoryUnitsPer10s: 3500,
  requestsPer20s: 5,
  retryAfter: 'seconds',
  timeScale: 1,
};
const kinds = ['fixed-window', 'sliding-window', 'token-bucket'] as const;

function play(settings: LimiterSettings, calls: readonly [Access, number][]) {
  let state: LimiterState = emptyLimiter;
  return calls.map(([access, nowMs]) => {
    const step = admit({ settings, state, access, nowMs });
    state = step.state;
    return step.admission.kind === 'admitted' ? 'admitted' : step.admission.retryAfterMs;
  });
}

describe('the limiter', () => {
  test.each(kinds)('%s · the limit passes at once · one more waits', (kind) => {
    const calls: [Access, number][] = Array.from({ length: 4 }, () => ['write', 40_000]);
    const verdicts = play({ ...base, kind }, calls);
    expect(verdicts.slice(0, 3)).toEqual(['admitted', 'admitted', 'admitted']);
    expect(verdicts[3]).toBe(kind === 'token-bucket' ? 20_000 / 3 : 20_000);
  });

  test('a fixed window · starts again on the 20th second · refused calls do not count', () => {
    const calls: [Access, number][] = [20_000, 21_000, 22_000, 23_000, 39_999, 40_000].map((at) => ['write', at]);
    const expected = ['admitted', 'admitted', 'admitted', 17_000, 1, 'admitted'];
    expect(play(base, calls)).toEqual(expected);
  });

  test('a sliding window · counts refused calls too · an impatient caller never gets in', () => {
    const calls: [Access, number][] = Array.from({ length: 60 }, (_, second) => ['write', second * 1000]);
    const verdicts = play({ ...base, kind: 'sliding-window' }, calls);
    expect(verdicts.filter((verdict) => verdict === 'admitted')).toHaveLength(3);
  });

  test('throttled writes · leave room for reads · until the limit on any request', () => {
    const calls: [Access, number][] = 'wwwwrrr'.split('').map((letter) => [letter === 'w' ? 'write' : 'read', 40_000]);
    const verdicts = play(base, calls);
    expect(verdicts).toEqual(['admitted', 'admitted', 'admitted', 20_000, 'admitted', 'admitted', 20_000]);
  });

  test('a time scale of 100 · divides the window · the wait is a hundredth', () => {
    const calls: [Access, number][] = Array.from({ length: 4 }, () => ['write', 40_000]);
    expect(play({ ...base, timeScale: 100 }, calls).at(-1)).toBe(200);
  });

  test('any history · a caller that waits as long as it was told · is admitted', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 80 }),
        (kind, pausesMs) => {
          const settings = { ...base, kind };
          let state = emptyLimiter;
          let nowMs = 0;
          for (const pauseMs of pausesMs) {
            nowMs += pauseMs;
            ({ state } = admit({ settings, state, access: 'write', nowMs }));
          }
          const first = admit({ settings, state, access: 'write', nowMs });
          if (first.admission.kind === 'admitted') return;
          const later = nowMs + Math.ceil(first.admission.retryAfterMs);
          expect(admit({ settings, state: first.state, access: 'write', nowMs: later }).admission.kind).toBe(
            'admitted',
          );
        },
      ),
      { examples: [['token-bucket', [0, 1792, 2748, 1840, 2613, 2568, 1773]]] },
    );
  });

  test('a token bucket · over a long busy time · lets through the limit per 20 s and the first burst', () => {
    const calls: [Access, number][] = Array.from({ length: 2000 }, (_, index) => ['write', index * 100]);
    const verdicts = play({ ...base, kind: 'token-bucket', requestsPer20s: 10_000 }, calls);
    const admitted = verdicts.filter((verdict) => verdict === 'admitted').length;
    expect(admitted).toBeGreaterThanOrEqual(31);
    expect(admitted).toBeLessThanOrEqual(33);
  });
});
