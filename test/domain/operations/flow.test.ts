// Flow: rates between samples, what is kept of them, and since when nothing moves.
import { describe, expect, test } from 'vitest';
import { flowAt, remember, stillSince, toHistory, type Sample } from '../../../src/domain/operations/flow.ts';

const sample = (seconds: number, members: Partial<Sample> = {}): Sample => ({
  at: 1_000_000 + seconds * 1000,
  accepted: 0,
  ended: 0,
  dead: 0,
  open: 0,
  delivering: 0,
  ...members,
});

describe('rates', () => {
  test('one sample or none · nothing is known to flow · zero', () => {
    expect(flowAt([])).toEqual({ inPerSecond: 0, outPerSecond: 0 });
    expect(flowAt([sample(0, { accepted: 500, ended: 500 })])).toEqual({ inPerSecond: 0, outPerSecond: 0 });
  });

  test('an earlier burst · older than ten seconds · does not count', () => {
    const samples = [
      sample(0),
      sample(2, { accepted: 900 }),
      sample(8, { accepted: 900, ended: 30 }),
      sample(18, { accepted: 905, ended: 80 }),
    ];
    expect(flowAt(samples)).toEqual({ inPerSecond: 0.5, outPerSecond: 5 });
  });

  test('dead letters that are purged · make the totals shrink · nothing flows backwards', () => {
    expect(flowAt([sample(0, { accepted: 9, dead: 9 }), sample(5)])).toEqual({ inPerSecond: 0, outPerSecond: 0 });
  });

  test('a history · has the rate of each instant · to two digits', () => {
    const samples = [sample(0), sample(3, { accepted: 1, open: 1 }), sample(6, { accepted: 2, ended: 1, open: 1 })];
    expect(toHistory(samples)).toEqual({
      at: [1_000_000, 1_003_000, 1_006_000],
      inPerSecond: [0, 0.33, 0.33],
      outPerSecond: [0, 0, 0.17],
      open: [0, 1, 1],
    });
  });
});

describe('what is kept', () => {
  test('samples that are too old · fall out · the rest stays in order', () => {
    const kept = remember([sample(0), sample(5), sample(10)], sample(12), 7000);
    expect(kept.map(({ at }) => at)).toEqual([1_005_000, 1_010_000, 1_012_000]);
  });

  test('a clock that steps back · starts over · no rate over negative time', () => {
    expect(remember([sample(50)], sample(1), 600_000)).toEqual([sample(1)]);
  });
});

describe('standing still', () => {
  const waits = { accepted: 3, open: 3 };

  test.each<[string, Sample[], number | null]>([
    ['nothing waits', [sample(0), sample(5), sample(10)], null],
    ['all that is seen of it', [sample(0, waits), sample(5, waits), sample(10, waits)], 0],
    ['from the first that waited', [sample(0), sample(5, waits), sample(10, waits)], 5],
    ['one ended meanwhile', [sample(0, waits), sample(5, waits), sample(10, { ...waits, ended: 1 })], null],
    ['one gave up before', [sample(0, waits), sample(5, { ...waits, dead: 1 }), sample(10, { ...waits, dead: 1 })], 5],
    ['one is under way', [sample(0, waits), sample(5, waits), sample(10, { ...waits, delivering: 1 })], null],
  ])('%s · what waits · is still since then', (_, samples, since) => {
    expect(stillSince(samples)).toBe(since === null ? null : 1_000_000 + since * 1000);
  });
});
