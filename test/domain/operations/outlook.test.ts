// The outlook: the worst that is the matter is the headline, and says what to do.
import { describe, expect, test } from 'vitest';
import { REMEDIES, remedyOfHold } from '../../../src/domain/hold/hold.ts';
import { describeOutlook, duration, type Scene } from '../../../src/domain/operations/outlook.ts';
import { aHold } from '../sample.ts';

const NOW = 1_000_000_000;
const scene = (members: Partial<Scene> = {}): Scene => ({
  now: NOW,
  flow: { inPerSecond: 0, outPerSecond: 0 },
  open: 0,
  dead: 0,
  queued: 0,
  stillSince: null,
  hold: null,
  partialHolds: [],
  parked: 0,
  throttle: null,
  fullness: null,
  writesPer20s: 100,
  drainSeconds: 0,
  ...members,
});
const hold = { ...aHold, since: NOW - 60_000, probeAt: NOW + 4000 };
const ofOne = { ...hold, hardwareConfigurationId: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81' };
const waiting = { open: 1200, queued: 1200, drainSeconds: 240 };

describe('what the headline is', () => {
  test.each<[string, Partial<Scene>, string]>([
    ['nothing at all', {}, 'idle'],
    ['submissions that are delivered at once', { flow: { inPerSecond: 1, outPerSecond: 1 } }, 'flowing'],
    ['a backlog that drains', { ...waiting, flow: { inPerSecond: 0, outPerSecond: 5 } }, 'flowing'],
    [
      'a throttling while something still goes out',
      { flow: { inPerSecond: 0, outPerSecond: 5 }, throttle: { until: NOW + 9000 }, ...waiting },
      'flowing',
    ],
    [
      'a throttling for long',
      { flow: { inPerSecond: 0, outPerSecond: 5 }, throttle: { until: NOW + 11_000 }, ...waiting },
      'throttled',
    ],
    ['a throttling and nothing goes out', { throttle: { until: NOW + 1000 }, ...waiting }, 'throttled'],
    ['nothing tried for half a minute', { ...waiting, stillSince: NOW - 30_000 }, 'still'],
    ['nothing tried for less', { ...waiting, stillSince: NOW - 29_999 }, 'flowing'],
    ['what waits has a time set', { open: 4, queued: 0, stillSince: NOW - 90_000 }, 'flowing'],
    ['at one write in 20 s a minute is not long', { ...waiting, writesPer20s: 1, stillSince: NOW - 59_999 }, 'flowing'],
    ['full', { ...waiting, fullness: 'Redis holds 9 MiB', stillSince: NOW - 90_000 }, 'full'],
    ['one configuration held', { ...waiting, partialHolds: [ofOne], parked: 10 }, 'partly-held'],
    ['held, whatever else', { ...waiting, hold, throttle: { until: NOW + 1 }, fullness: 'x', stillSince: 0 }, 'held'],
  ])('%s · is told · as what it is', (_, members, kind) => {
    expect(describeOutlook(scene(members)).kind).toBe(kind);
  });

  test('a hold · is told whole · with its remedy and its probe', () => {
    expect(describeOutlook(scene({ ...waiting, hold }))).toEqual({
      kind: 'held',
      headline: 'Held: nobody calls Graph',
      why: '403 Forbidden. 1,200 run results wait. Devices can still submit; everything they send is kept.',
      todo: `${REMEDIES.forbidden} A probe finds out by itself whether it is mended, the next one in 4 s; then everything flows again.`,
    });
    const probing = describeOutlook(scene({ open: 1, hold: { ...hold, detail: 'It broke.', probeAt: NOW } }));
    expect(probing.why).toMatch(/^It broke\. 1 run result wait/);
    expect(probing.todo).toContain('mended, one is on its way; then');
  });

  test('one configuration that is held · is told whole · with how many it keeps, and that others flow', () => {
    const told = describeOutlook(scene({ ...waiting, partialHolds: [ofOne], parked: 1000 }));
    expect(told).toEqual({
      kind: 'partly-held',
      headline: 'One hardware configuration is held; all others flow',
      why: '1d5c8a52-7e0f-4f1b-9a6d-3c2b1e0f9a81: forbidden. 403 Forbidden. 1,000 run results are kept back for it. 200 run results of others wait, about 4 min at the present pace.',
      todo: `${remedyOfHold(ofOne)} A probe finds out by itself whether it is mended, the next one in 4 s; then everything flows again.`,
    });
    const two = describeOutlook(scene({ open: 1, partialHolds: [ofOne, ofOne], parked: 1 }));
    expect(two.headline).toBe('2 hardware configurations are held; all others flow');
    expect(two.why).toContain('1 run result is kept back for it. Everything else is in Graph.');
  });

  test('a backlog that drains · is told whole · with nothing to do', () => {
    expect(describeOutlook(scene({ ...waiting, flow: { inPerSecond: 0, outPerSecond: 5 } }))).toEqual({
      kind: 'flowing',
      headline: 'Results flow',
      why: '1,200 run results wait, and are in Graph in about 4 min at the present pace.',
      todo: 'Nothing.',
    });
  });
});

test('dead letters · do not make a good headline bad · but are what to do', () => {
  const todo = '2 run results gave up. See below, under dead letters, what each cause needs.';
  expect(describeOutlook(scene({ dead: 2 }))).toMatchObject({
    kind: 'idle',
    headline: 'Nothing waits, but some gave up',
    todo,
  });
  expect(describeOutlook(scene({ ...waiting, dead: 2 }))).toMatchObject({
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
