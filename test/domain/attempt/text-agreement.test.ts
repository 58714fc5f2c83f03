// Whether a stored text is the one that was sent: what services do to texts, and what makes it another text.
import { describe, expect, test } from 'vitest';
import { compareTexts, sameName } from '../../../src/domain/attempt/text-agreement.ts';
import { fc } from '../../support/properties.ts';

const LINES = [
  'BIOS settings of BER-DEL-00001, policy 4',
  'TpmSecurity: Enabled → Enabled (unchanged)',
  'SecureBoot: Disabled → Enabled',
  'Änderungen übernommen ✓ 😀',
];
const sent = LINES.join('\n');

describe('the same text · as a store gives it back', () => {
  test.each<[how: string, sent: string | null | undefined, stored: string | null | undefined]>([
    ['unchanged', sent, sent],
    ['with line ends of Windows', sent, LINES.join('\r\n')],
    ['with line ends of old', sent, LINES.join('\r')],
    ['with NULs removed', `a\0b\0${sent}`, `ab${sent}`],
    ['with control characters removed', `\u001b[32m${sent}\u0007`, `[32m${sent}`],
    ['with leading blank lines removed', `\n \n\r\n${sent}`, sent],
    ['with leading blank lines added', sent, `\r\n\n${sent}`],
    ['trimmed at both ends', `  ${sent}\n\n`, sent],
    ['with a byte order mark', sent, `\uFEFF${sent}`],
    ['with its accents apart', sent, sent.normalize('NFD')],
    ['with half a pair replaced', `x\ud83dy`, 'x\ufffdy'],
    ['with half a pair removed', `x\ude00y`, 'xy'],
    ['as nothing, where it was empty', '', null],
    ['as nothing, where it was blank', ' \n', undefined],
    ['as empty, where it was not said', undefined, ''],
  ])('%s', (_how, whole, stored) => {
    expect(compareTexts(whole, stored)).toBe('same');
  });
});

describe('a long part of the text · as a store keeps it that shortens', () => {
  test.each<[how: string, stored: string]>([
    ['its beginning', sent.slice(0, 60)],
    ['its end', sent.slice(-70)],
    ['its middle', sent.slice(10, -10)],
    ['its beginning and dots', `${sent.slice(0, 60)}...`],
    ['its beginning and an ellipsis', `${sent.slice(0, 60)}…`],
    ['an ellipsis and its end', `…${sent.slice(-70)}`],
    ['both ends with a word between', `${sent.slice(0, 40)}\n[57 characters omitted]\n${sent.slice(-30)}`],
    ['its beginning, and a word', `${sent.slice(0, 60)} [truncated]`],
    ['its beginning, cut within a letter', `${sent.slice(0, 60)}\ufffd`],
    ['its beginning, with other line ends', LINES.join('\r\n').slice(0, 100)],
    ['all of it on one line', LINES.join(' ')],
    ['all of it without blank columns', sent.replaceAll(/ +/g, ' ').replaceAll(' ', '')],
    ['question marks for other letters', sent.replaceAll(/[^\x20-\x7e\n]/gu, '?')],
    ['other letters left out, and shortened', sent.replaceAll(/[^\x20-\x7e\n]/gu, '').slice(0, 90)],
  ])('%s', (_how, stored) => {
    expect(compareTexts(sent, stored)).toBe('part');
  });
});

describe('another text', () => {
  test.each<[how: string, sent: string, stored: string | null]>([
    ['nothing', sent, null],
    ['a short part', sent, sent.slice(0, 20)],
    ['one character else', sent, sent.replace('policy 4', 'policy 5')],
    ['one character less in the middle', `${sent}${sent}`, `${sent}${sent}`.replace('policy 4', 'policy')],
    ['more than was sent', sent, `${sent} and more`],
    ['more than was sent, before it', sent, `more and ${sent}`],
    ['short texts, one the beginning of the other', 'run 12', 'run 1'],
    ['other letters where all are other letters', 'я'.repeat(50), 'ю'.repeat(50)],
    ['dots, and another end', `${'x'.repeat(50)} first`, `${'x'.repeat(50)} ... other`],
  ])('%s', (_how, whole, stored) => {
    expect(compareTexts(whole, stored)).toBe('different');
  });
});

test('any two texts · are compared without throwing · and a text with itself is the same', () => {
  const text = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', minLength: 40 })));
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(['same', 'part', 'different']).toContain(compareTexts(a, b));
      expect(compareTexts(a, a)).toBe('same');
      expect(sameName(a, a)).toBe(true);
    }),
  );
});

test('any text of some length · cut off at either end · is a long part', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', ' ', '.', '\n'),
    minLength: 200,
    maxLength: 400,
  });
  fc.assert(
    fc.property(text, fc.nat(60), fc.nat(60), (whole, start, end) => {
      const part = whole.slice(start, whole.length - end);
      fc.pre(part.replaceAll(/\s/g, '').length >= 32);
      expect(compareTexts(whole, part)).not.toBe('different');
    }),
  );
});

test.each([
  ['BER-DEL-00001', 'ber-del-00001', true],
  ['Büro', 'BÜRO', true],
  ['Büro', 'Büro', true],
  [' a ', 'a', true],
  ['a', null, false],
  ['a', 'b', false],
  ['PC-1', 'PC-10', false],
])('a name · %j and %j · same: %j', (a, b, same) => {
  expect(sameName(a, b)).toBe(same);
});
