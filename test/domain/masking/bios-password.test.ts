// Masking texts that are long or hostile; what is masked in each form is in test/vectors/masking.json.
import { expect, test } from 'vitest';
import { maskBiosPasswords } from '../../../src/domain/masking/bios-password.ts';

test('half a surrogate pair · stays as it is', () => {
  const text = 'Ein Gerät · 設定 · 😀 \u0000 \ud800 \r\n\t';
  expect(maskBiosPasswords(text)).toBe(text);
});

/** What a pattern could be made to search again and again: each is 256 KB, as long as a submission may be. */
const HOSTILE: [what: string, piece: string][] = [
  ['one letter', 'a'],
  ['dashes', '-'],
  ['spaces', ' '],
  ['an option without a value', '--setuppwd '],
  ['half an option', '--setup'],
  ['a half word after an option', '--ownerp'],
  ['quotes', '"'],
  ['commas', ','],
  ['half a Lenovo argument', 'pap,a,'],
  ['almost an encoding', 'a,asci'],
  ['a long run before a comma', `${'x'.repeat(127)},`],
  ['an option word', '-password\t'],
  ['an option and its sign', '-password= '],
  ['long dashes', '–—'],
  ['words', 'a '],
  ['long words', `${'x'.repeat(127)} `],
  ['programs without the option', '.exe '],
  ['programs in a row', '.exe\t-p'],
  ['another program', 'HpqPswd /p '],
  ['backslashes', '\\'],
  ['backslashes and quotes', '\\"'],
  ['typographic quotes', '”'],
  ['an assignment without a value', 'password=    '],
  ['an encoding without a password', '"<utf-16/>" + '],
  ['opcodes', 'WmiOpcodePasswordAdmin:'],
  ['commas and brackets', ',('],
  ['almost an option', `/${'a'.repeat(31)}`],
  ['encodings', ',ascii,'],
  ['lists that never end', '-Password @('],
  ['values that never end', 'password="'],
  ['members that never end', '"password":"'],
  ['escaped values that never end', '-Password \\"'],
  ['lists of values', '-Password "a",'],
  ['calls that never end', 'PSCredential "a",'],
  ['secure strings', 'ConvertTo-SecureString -a '],
  ['tables in tables', '@{password=@{'],
  ['elements', '<password>'],
  ['line breaks', '-Password\n`\n'],
];

test.each(HOSTILE)('256 KB of %s · is read to its end · and the password behind it is found', (_what, piece) => {
  const text = piece.repeat(Math.ceil(262_144 / piece.length));
  const startedAt = performance.now();
  const masked = maskBiosPasswords(`${text}\n--setuppwd=Geheim1\n`);
  expect(masked.endsWith('\n--setuppwd=[masked]\n')).toBe(true);
  expect(masked).not.toContain('Geheim1');
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

test('256 KB of options that stop before the value · are read once · and nothing is changed', () => {
  const spaces = `--setuppwd=${' '.repeat(262_144)}`;
  expect(maskBiosPasswords(spaces)).toBe(spaces);
});

test('256 KB of passwords · are masked · each', () => {
  const times = 262_144 / 16;
  expect(maskBiosPasswords('--setuppwd=abcd '.repeat(times))).toBe('--setuppwd=[masked] '.repeat(times));
});
