// Counting values in a text of JSON: as many as there are, whatever stands in its texts, and none is hidden by a broken line.
import { expect, test } from 'vitest';
import { hasMoreValues } from '../../../src/http/request/json-values.ts';
import { fc } from '../../support/properties.ts';

/** Arrays and objects, and what separates their contents. */
function weigh(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value);
  return 1 + Math.max(0, inside.length - 1) + inside.reduce((sum: number, one) => sum + weigh(one), 0);
}

const text = fc.oneof(fc.string(), fc.constantFrom('"', '\\', '\\"', ',,{[', '[{"a":1},', '\n', '\\\n', 'é😀\u2028'));
const json = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, text, fc.integer(), fc.constant(null), tie('array'), tie('object')),
  array: fc.array(tie('value'), { maxLength: 6 }),
  object: fc.dictionary(text, tie('value'), { maxKeys: 6 }),
})).value;

test('any JSON, tight or spaced · has as many values as it has · and not one more', () => {
  fc.assert(
    fc.property(json, fc.constantFrom(0, 2), (value, indent) => {
      const bytes = Buffer.from(JSON.stringify(value, null, indent));
      const weight = weigh(value);
      expect(hasMoreValues(bytes, weight)).toBe(false);
      if (weight > 0) expect(hasMoreValues(bytes, weight - 1)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test.each(['"', '"\\', '{"broken', '"\\"', '\\', '"a\\\\\\'])(
  'a line %s before it · hides nothing of the next line',
  (broken) => {
    const line = `[${'{},'.repeat(99)}{}]`;
    expect(hasMoreValues(Buffer.from(`${broken}\n${line}`), 199)).toBe(true);
    expect(hasMoreValues(Buffer.from(line), 200)).toBe(false);
  },
);
