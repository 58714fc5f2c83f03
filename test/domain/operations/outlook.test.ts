// The outlook: the worst that is the matter is the headline, and says what to do.
import { describe, expect, test } from 'vitest';
import { REMEDIES, remedyOfHold } from '../../../src/domain/hold/hold.ts';
import { ROOM_FOR_ALL } from '../../../src/domain/operations/backlog.ts';
import { describeOutlook, duration, type Observations } from '../../../src/domain/operations/outlook.ts';
import type { Counts, TenantSnapshot } from '../../../src/domain/operations/tenant-snapshot.ts';
import { aHold, aSnapshot } from '../sample.ts';

const NOW = 1_000_000_000;
type Seen = Partial<Omit<TenantSnapshot, 'counts'>> & { counts?: Partial<Counts>; observed?: Partial<Observations> };
const CALM: Observations = { flow: { inPerSecond: 0, outPerSecond: 0 }, stillSince: null, backlog: ROOM_FOR_ALL };
const outlookOf = ({ counts, observed, ...members }: Seen = {}) => {
  const snapshot = aSnapshot({ now: NOW, ...members });
  return describeOutlook({ ...snapshot, counts: { ...snapshot.counts, ...counts } }, { ...CALM, ...observed });
};
const hold = { ...aHold, since: NOW - 60_000, probeAt: NOW + 4000 };
const ofOne = { ...hold, hardwareConfigurationId: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81' };
const other = { ...ofOne, hardwareConfigurationId: '2d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a82' };
const waiting = { counts: { queued: 1200 } };
const draining = { flow: { inPerSecond: 0, outPerSecond: 5 } };
const throttledFor = (ms: number) => ({ since: NOW - 1000, until: NOW + ms });

describe('what the headline is', () => {
  test.each<[string, Seen, string]>([
    ['nothing at all', {}, 'idle'],
    ['submissions that are delivered at once', { observed: { flow: { inPerSecond: 1, outPerSecond: 1 } } }, 'flowing'],
    ['a backlog that drains', { ...waiting, observed: draining }, 'flowing'],
    [
      'a throttling while something still goes out',
      { ...waiting, observed: draining, throttle: throttledFor(9000) },
      'flowing',
    ],
    ['a throttling for long', { ...waiting, observed: draining, throttle: throttledFor(11_000) }, 'throttled'],
    ['a throttling and nothing goes out', { ...waiting, throttle: throttledFor(1000) }, 'throttled'],
    ['nothing tried for half a minute', { ...waiting, observed: { stillSince: NOW - 30_000 } }, 'still'],
    ['nothing tried for less', { ...waiting, observed: { stillSince: NOW - 29_999 } }, 'flowing'],
    ['what waits has a time set', { counts: { waiting: 4 }, observed: { stillSince: NOW - 90_000 } }, 'flowing'],
    [
      'at one write in 20 s a minute is not long',
      { ...waiting, writesPer20s: 1, observed: { stillSince: NOW - 59_999 } },
      'flowing',
    ],
    [
      'full',
      { ...waiting, observed: { backlog: { room: 'none', reason: 'Redis holds 9 MiB' }, stillSince: NOW - 90_000 } },
      'full',
    ],
    [
      'room for failed runs alone',
      { ...waiting, observed: { ...draining, backlog: { room: 'failures', reason: '9 MiB wait' } } },
      'full',
    ],
    ['one configuration held', { ...waiting, holds: [ofOne], parked: { 'create:one': 10 } }, 'partly-held'],
    [
      'all that waits is of one configuration that is held',
      { ...waiting, holds: [ofOne], parked: { 'create:one': 1200 }, observed: { stillSince: NOW - 90_000 } },
      'partly-held',
    ],
    [
      'held, whatever else',
      {
        ...waiting,
        holds: [ofOne, hold],
        throttle: throttledFor(1),
        observed: { backlog: { room: 'none', reason: 'x' }, stillSince: 0 },
      },
      'held',
    ],
  ])('%s · is reported · as what it is', (_, members, kind) => {
    expect(outlookOf(members).kind).toBe(kind);
  });

  test('a hold · is shown completely · with its remedy and its probe', () => {
    expect(outlookOf({ ...waiting, holds: [hold] })).toEqual({
      kind: 'held',
      headline: 'Held: nobody calls Graph',
      why: '403 Forbidden. 1,200 run results wait. Devices can still submit; everything they send is kept.',
      todo: `${REMEDIES.forbidden} A probe finds out by itself when it is fixed, the next one in 4 s; then everything flows again.`,
    });
    const probing = outlookOf({ counts: { queued: 1 }, holds: [{ ...hold, detail: 'It broke.', probeAt: NOW }] });
    expect(probing.why).toMatch(/^It broke\. 1 run result wait/);
    expect(probing.todo).toContain('fixed, one is on its way; then');
  });

  test('one configuration that is held · is shown completely · with how many it keeps, and that others flow', () => {
    const outlook = outlookOf({ ...waiting, holds: [ofOne], parked: { 'create:one': 1000 }, writesPer20s: 17 });
    expect(outlook).toEqual({
      kind: 'partly-held',
      headline: 'One hardware configuration is held; all others flow',
      why: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81: forbidden. 403 Forbidden. 1,000 run results are kept back for it. 200 run results of others wait, about 4 min at the present pace.',
      todo: `${remedyOfHold(ofOne)} A probe finds out by itself when it is fixed, the next one in 4 s; then everything flows again.`,
    });
    const two = outlookOf({ counts: { queued: 1 }, holds: [ofOne, other], parked: { 'create:one': 1 } });
    expect(two.headline).toBe('2 hardware configurations are held; all others flow');
    expect(two.why).toContain('1 run result is kept back for it. Everything else is in Graph.');
  });

  test('room for failed runs alone · says who is refused · and who is not', () => {
    const { headline, why } = outlookOf({ observed: { backlog: { room: 'failures', reason: '9 MiB wait' } } });
    expect(headline).toBe('Nearly full: only failed runs are accepted');
    expect(why).toBe(
      '9 MiB wait. The last room is kept for failed runs (fail, scriptError). All other devices hear 429 and have to send again later. What was accepted is kept.',
    );
  });

  test('a backlog that drains · is shown completely · with nothing to do', () => {
    expect(outlookOf({ ...waiting, observed: draining })).toEqual({
      kind: 'flowing',
      headline: 'Results flow',
      why: '1,200 run results wait, and are in Graph in about 4 min at the present pace.',
      todo: 'Nothing.',
    });
  });
});

test('dead letters · do not make a good headline bad · but are what to do', () => {
  const todo = '2 run results gave up. See below, under dead letters, what each cause needs.';
  expect(outlookOf({ counts: { dead: 2 } })).toMatchObject({
    kind: 'idle',
    headline: 'Nothing waits, but some gave up',
    todo,
  });
  expect(outlookOf({ counts: { queued: 1200, dead: 2 } })).toMatchObject({
    kind: 'flowing',
    headline: 'Results flow',
    todo,
  });
});

test.each([
  [-5, '0 s'],
  [1, '1 s'],
  [119_000, '119 s'],
  [120_000, '2 min'],
  [119 * 60_000, '119 min'],
  [120 * 60_000, '2 h'],
  [71 * 3_600_000, '71 h'],
  [72 * 3_600_000, '3 days'],
])('%i ms · are said · as people do', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
