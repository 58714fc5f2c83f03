// Masking BIOS passwords: every vendor's way to write one on a command line, and every other character kept.
import { describe, expect, test } from 'vitest';
import { maskBiosPasswords } from '../../src/domain/bios-password.ts';

const FORMS: [vendor: string, text: string, masked: string][] = [
  ['Dell', 'cctk --setuppwd=Sommer-2024!', 'cctk --setuppwd=[masked]'],
  ['Dell', 'cctk --setuppwd=new --valsetuppwd=old', 'cctk --setuppwd=[masked] --valsetuppwd=[masked]'],
  ['Dell', 'cctk --SysPwd="two words" --SecureBoot=Enabled', 'cctk --SysPwd=[masked] --SecureBoot=Enabled'],
  ['Dell', "cctk --ValSysPwd='two words'", 'cctk --ValSysPwd=[masked]'],
  ['Dell', 'cctk --hddpwd=abc --valownerpwd=def', 'cctk --hddpwd=[masked] --valownerpwd=[masked]'],
  ['Dell', 'cctk -setuppwd: abc', 'cctk -setuppwd: [masked]'],
  ['Dell', 'cctk --setuppwd= abc\r\nnext line', 'cctk --setuppwd= [masked]\r\nnext line'],
  ['HP', 'BiosConfigUtility64 /cspwd:"Alt 1" /nspwd:Neu2', 'BiosConfigUtility64 /cspwd:[masked] /nspwd:[masked]'],
  ['HP', 'BiosConfigUtility64 -NSPWD=Neu2 /set:config.txt', 'BiosConfigUtility64 -NSPWD=[masked] /set:config.txt'],
  [
    'HP',
    'Set-HPBIOSSetupPassword -NewPassword Neu2 -Verbose',
    'Set-HPBIOSSetupPassword -NewPassword [masked] -Verbose',
  ],
  ['HP', "Set-HPBIOSSettingValue -Password 'Alt 1'", 'Set-HPBIOSSettingValue -Password [masked]'],
  ['Lenovo', 'SetBiosPassword("pap,Old1,New2,ascii,us")', 'SetBiosPassword("pap,[masked],[masked],ascii,us")'],
  [
    'Lenovo',
    'SetBiosSetting("SecureBoot,Enable,Old1,ascii,us")',
    'SetBiosSetting("SecureBoot,Enable,[masked],ascii,us")',
  ],
  ['Lenovo', 'SaveBiosSettings("Old1,ascii,us")', 'SaveBiosSettings("[masked],ascii,us")'],
  ['Lenovo', 'SaveBiosSettings("1e302e,scancode,gr")', 'SaveBiosSettings("[masked],scancode,gr")'],
];

const UNTOUCHED: string[] = [
  '',
  'The setup password provided is incorrect. Please try again.',
  'Setup password is required to change the setting. Use --ValSetupPwd.',
  'Valid password not provided.',
  'cctk --setuppwd=',
  'Password: not set; password policy = strong',
  'passwords are 8–32 characters, ascii, or scancode',
  'supported encodings: utf-8,ascii,latin1',
  '--pwd=x --password-length',
  'Ein Gerät · 設定 · 😀 \u0000 \ud800 \r\n\t',
];

describe('a password on a command line · is masked · and nothing else', () => {
  test.each(FORMS)('%s: %s', (_vendor, text, masked) => {
    expect(maskBiosPasswords(text)).toBe(masked);
  });
});

test.each(UNTOUCHED)('a text without a password · stays as it is · %j', (text) => {
  expect(maskBiosPasswords(text)).toBe(text);
});

test('text masked once · masked again · stays the same', () => {
  const once = FORMS.map(([, text]) => maskBiosPasswords(text)).join('\n');
  expect(maskBiosPasswords(once)).toBe(once);
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
];

test.each(HOSTILE)('256 KB of %s · is read to its end · and the password behind it is found', (_what, piece) => {
  const text = piece.repeat(Math.ceil(262_144 / piece.length));
  const masked = maskBiosPasswords(`${text}\n--setuppwd=Geheim1\n`);
  expect(masked.endsWith('\n--setuppwd=[masked]\n')).toBe(true);
  expect(masked).not.toContain('Geheim1');
});

test('256 KB of options that stop before the value · are read once · and nothing is changed', () => {
  const spaces = `--setuppwd=${' '.repeat(262_144)}`;
  expect(maskBiosPasswords(spaces)).toBe(spaces);
});

test('256 KB of passwords · are masked · each', () => {
  const times = 262_144 / 16;
  expect(maskBiosPasswords('--setuppwd=abcd '.repeat(times))).toBe('--setuppwd=[masked] '.repeat(times));
});
