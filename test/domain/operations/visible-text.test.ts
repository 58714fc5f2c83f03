// What is shown instead of what a terminal would obey or nobody would see; and that JSON stays the same JSON.
import { expect, test } from 'vitest';
import { toVisible } from '../../../src/domain/operations/visible-text.ts';
// The dashboard's own copy, which a browser loads as it is.
import { toVisible as onThePage } from '../../../src/http/dashboard/page/visible.js';
import { fc } from '../../support/properties.ts';

test.each([
  ['ESC and CSI', '\u001B[2Jgone', '\\u001b[2Jgone'],
  ['OSC, ended by BEL', '\u001B]0;title\u0007', '\\u001b]0;title\\u0007'],
  ['CSI as one C1 control', '\u009B31mred', '\\u009b31mred'],
  ['DEL and NUL', 'a\u007F\u0000', 'a\\u007f\\u0000'],
  ['new lines and tabs', 'a\nb\r\nc\td', 'a\\nb\\r\\nc\\td'],
  ['line and paragraph separators', 'a\u2028b\u2029c\u0085', 'a\\u2028b\\u2029c\\u0085'],
  [
    'bidirectional controls',
    '\u202Eexe\u202C \u2066x\u2069 \u061C\u200E\u200F',
    '\\u202eexe\\u202c \\u2066x\\u2069 \\u061c\\u200e\\u200f',
  ],
  ['zero width', 'pay\u200Bpal\u200D\uFEFF\u2060', 'pay\\u200bpal\\u200d\\ufeff\\u2060'],
  ['soft hyphen, fillers', '\u00AD\u3164\u115F\uFFA0', '\\u00ad\\u3164\\u115f\\uffa0'],
  ['tags beyond the first plane', 'a\u{E0041}', 'a\\udb40\\udc41'],
  ['lone surrogates', '\uD83D and \uDE00', '\\ud83d and \\ude00'],
])('%s · are spelt out', (_what, text, shown) => {
  expect(toVisible(text)).toBe(shown);
});

test.each(['Änderungen übernommen – “gut” 100 %', '日本語 العربية עברית', '👍🏽 ❤\uFE0F', 'C:\\new\\table', ''])(
  'what people write · %s · stays as it is',
  (text) => {
    expect(toVisible(text)).toBe(text);
  },
);

test('JSON · shown · is the same JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.constantFrom(0, 2), (value, indent) => {
      const shown = JSON.stringify(value, null, indent)
        .split('\n')
        .map((line) => toVisible(line));
      expect(JSON.parse(shown.join('\n'))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('the dashboard · shows any text · as the command line does', () => {
  const shownThere = onThePage;
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => shownThere(text) === toVisible(text)));
});

test('any text · shown twice · is what it was shown once, on one line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = toVisible(text);
      expect(toVisible(shown)).toBe(shown);
      expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    }),
  );
});
