// The script's grammar: what is understood, in which order it happens, and what a bad line is told.
import { describe, expect, test } from 'vitest';

import { drawFault, parseFaultRates } from '../../../src/sandbox/faults/fault-rates.ts';
import { parseFault } from '../../../src/sandbox/faults/fault.ts';
import { createRandom } from '../../../src/sandbox/random.ts';
import { createScript } from '../../../src/sandbox/faults/script.ts';

describe('a fault', () => {
  test('a status after the write with a body and a wait · is read whole · every clause counts', () => {
    expect(parseFault('504 after the write as intune with Retry-After 1.5 in 200 ms')).toEqual({
      text: '504 after the write as intune with Retry-After 1.5 in 200 ms',
      timing: 'after',
      latencyMs: 200,
      misbehaviour: {
        kind: 'answer',
        status: 504,
        body: 'intune',
        retryAfter: { spelling: 'seconds', text: '1.5' },
        challenge: 'none',
      },
    });
  });

  test.each([
    ['429 with Retry-After date 3', { spelling: 'http-date', seconds: 3 }],
    ['429 with retry-after garbage', { spelling: 'garbage' }],
    ['429 with Retry-After huge', { spelling: 'huge' }],
    ['429 without Retry-After', undefined],
    ['429', undefined],
  ])('%s · states the wait · in exactly that form', (text, retryAfter) => {
    expect(parseFault(text).misbehaviour).toMatchObject({ kind: 'answer', status: 429, retryAfter });
  });

  test.each(['600', '302', 'explode', '503 tomorrow', 'reset with Retry-After 3', '429 with Retry-After soon', ''])(
    '"%s" · cannot be understood · and says so',
    (text) => {
      expect(() => parseFault(text)).toThrow(expect.objectContaining({ name: 'ScriptError' }) as Error);
    },
  );
});

describe('a script', () => {
  test('three creates and two lists · each kind takes its own · in order, then nothing', () => {
    const script = createScript();
    script.add('next 3 creates: 504 after the write, 429 with Retry-After 1.5, 201\nnext 2 lists: 503');
    const taken = (['create', 'list', 'create', 'create', 'create', 'list', 'list'] as const).map(
      (operation) => script.take(operation)?.text,
    );
    const expected = ['504 after the write', '503', '429 with Retry-After 1.5', '201', undefined, '503', undefined];
    expect(taken).toEqual(expected);
    expect(script.remaining()).toBe(0);
  });

  test('a count above the faults · starts with the first again · until it is used up', () => {
    const script = createScript();
    script.add('next 3 writes: reset, 500');
    const taken = (['update', 'create', 'delete', 'create'] as const).map((operation) => script.take(operation)?.text);
    expect(taken).toEqual(['reset', '500', 'reset', undefined]);
  });

  test.each([
    ['next 3 frogs: 503', 'frogs'],
    ['next 1 create: 503, 504', '2 faults'],
    ['then 1 create: 503', 'a line is'],
    ['next create:', 'a line is'],
  ])('"%s" · is refused · with the reason', (text, reason) => {
    expect(() => createScript().add(text)).toThrow(reason);
  });

  test('one bad line among good ones · refuses the whole text · nothing is planned', () => {
    const script = createScript();
    expect(() => script.add('next create: 503; next frog: 503')).toThrow('frog');
    expect(script.remaining()).toBe(0);
  });
});

describe('random faults', () => {
  test('the same seed · gives the same faults · at about the rate asked for', () => {
    const rates = parseFaultRates({ creates: { '504 after the write': 0.2, reset: 0.1 } });
    const throwAll = (seed: number) => {
      const random = createRandom(seed);
      return Array.from({ length: 2000 }, () => drawFault(rates, 'create', random)?.text ?? 'none');
    };
    const faults = throwAll(7);
    expect(throwAll(7)).toEqual(faults);
    expect(faults.filter((text) => text === '504 after the write').length / 2000).toBeCloseTo(0.2, 1);
    expect(faults.filter((text) => text === 'reset').length / 2000).toBeCloseTo(0.1, 1);
    expect(drawFault(rates, 'list', () => 0)).toBeUndefined();
  });

  test('rates above 1 together · or below 0 · are refused', () => {
    expect(() => parseFaultRates({ creates: { 503: 0.7, 500: 0.7 } })).toThrow('at most 1');
    expect(() => parseFaultRates({ creates: { 503: -0.1 } })).toThrow('from 0 to 1');
  });
});
