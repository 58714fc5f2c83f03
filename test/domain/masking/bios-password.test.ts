// Masking BIOS passwords: every vendor's way to write one on a command line, and every other character kept.
import { describe, expect, test } from 'vitest';
import { maskBiosPasswords } from '../../../src/domain/masking/bios-password.ts';

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

  ['Dell', 'cctk --setuppwd= --valsetuppwd=Old1', 'cctk --setuppwd= --valsetuppwd=[masked]'],
  ['Dell', 'cctk --setuppwd=-abc1 --tpm=on', 'cctk --setuppwd=[masked] --tpm=on'],
  ['Dell', 'cctk –ValSetupPwd=Old1', 'cctk –ValSetupPwd=[masked]'],
  ['Dell', '"--ValSetupPwd=Old1" "--EmbSataRaid=Ahci"', '"--ValSetupPwd=[masked]" "--EmbSataRaid=Ahci"'],
  ['Dell', String.raw`{"line":"cctk --setuppwd=\"two words\""}`, '{"line":"cctk --setuppwd=[masked]"}'],
  ['Dell', 'cctk --setuppwd=ab"cd --tpm=on', 'cctk --setuppwd=[masked] --tpm=on'],
  ['Dell', 'cctk --setuppwd="two ""big"" words" --tpm=on', 'cctk --setuppwd=[masked] --tpm=on'],
  ['Dell', 'cctk --setuppwd="never closed\nnext line', 'cctk --setuppwd=[masked]\nnext line'],
  ['Dell', 'dcu-cli /configure -biosPassword="Old 1" -silent', 'dcu-cli /configure -biosPassword=[masked] -silent'],
  ['Dell', 'Latitude_5420_1.2.3.exe /s /p=Old1 /l=c:\\l.txt', 'Latitude_5420_1.2.3.exe /s /p=[masked] /l=c:\\l.txt'],
  [
    'Dell',
    String.raw`Set-Item -Path DellSmbios:\Security\AdminPassword New2 -Password Old1`,
    String.raw`Set-Item -Path DellSmbios:\Security\AdminPassword [masked] -Password [masked]`,
  ],
  ['HP', 'BiosConfigUtility.exe /cspwd:”two words” /set:x.txt', 'BiosConfigUtility.exe /cspwd:[masked] /set:x.txt'],
  ['HP', 'BiosConfigUtility.exe /cspwd:"" /cspwd:"abcd"', 'BiosConfigUtility.exe /cspwd:[masked] /cspwd:[masked]'],
  ['HP', 'BiosConfigUtility.exe /cpwd:Old1 /npwd:New2', 'BiosConfigUtility.exe /cpwd:[masked] /npwd:[masked]'],
  ['HP', 'HpqPswd.exe /s /p"12345678" /f"sample password.bin"', 'HpqPswd.exe /s /p[masked] /f"sample password.bin"'],
  [
    'HP',
    'Set-HPBIOSSetupPassword -NewPassword:New2 –Password Old1',
    'Set-HPBIOSSetupPassword -NewPassword:[masked] –Password [masked]',
  ],
  [
    'HP',
    "SetBIOSSetting('Setup Password','<utf-16/>','<utf-16/>two words')",
    "SetBIOSSetting('Setup Password','<utf-16/>','<utf-16/>[masked]')",
  ],
  ['HP', 'SetBIOSSetting("Fast Boot","Enable","<kbd/>1E30")', 'SetBIOSSetting("Fast Boot","Enable","<kbd/>[masked]")'],
  ['HP', '$PW = "<utf-16/>" + "Old 1"', '$PW = "<utf-16/>" + [masked]'],
  ['HP', 'SetBIOSSetting(Fast Boot,Enable,<utf-16/>Old1)', 'SetBIOSSetting(Fast Boot,Enable,<utf-16/>[masked])'],
  ['HP', 'SetBIOSSetting("Setup Password","New 2")', 'SetBIOSSetting("Setup Password",[masked])'],
  ['Lenovo', 'flash.cmd /quiet /pwd:Old1 /sccm', 'flash.cmd /quiet /pwd:[masked] /sccm'],
  ['Lenovo', 'SetBiosPassword("pap,,New2,ascii,us")', 'SetBiosPassword("pap,[masked],[masked],ascii,us")'],
  ['Lenovo', 'SaveBiosSettings("two words,ascii,us”)', 'SaveBiosSettings("[masked],ascii,us”)'],
  [
    'Lenovo',
    'cscript SetConfigPassword.vbs WakeOnLAN Enable Old1,ascii,us',
    'cscript SetConfigPassword.vbs WakeOnLAN Enable [masked],ascii,us',
  ],
  [
    'Lenovo',
    'cscript SetSupervisorPassword.vbs Old1 New2 ascii,us',
    'cscript SetSupervisorPassword.vbs [masked] [masked] ascii,us',
  ],
  [
    'Lenovo',
    'WmiOpcodeInterface("WmiOpcodePasswordCurrent01:two words;")',
    'WmiOpcodeInterface("WmiOpcodePasswordCurrent01:[masked];")',
  ],
  ['Lenovo', 'sent WmiOpcodePasswordAdmin:Old1; got Success', 'sent WmiOpcodePasswordAdmin:[masked]; got Success'],
  [
    'any',
    '-Password (ConvertTo-SecureString "Old 1" -AsPlainText)',
    '-Password (ConvertTo-SecureString [masked] -AsPlainText)',
  ],
  ['any', '+ $BiosPassword = "Old 1"; Invoke-It', '+ $BiosPassword = [masked]; Invoke-It'],
  ['any', 'tool --pwd=x --password-length', 'tool --pwd=[masked] --password-length'],
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
  'tool --password-length 8 --no-password',
  'BIOSConfigUtility64.exe /cspwdfile:"C:\\bios\\current.bin" /nspwdfile:new.bin /set:config.txt',
  'HPQFlash.exe -s -psetuppass.bin',
  'Get-Item DellSmbios:\\Security\\AdminPassword -Verbose',
  'WmiOpcodePasswordType:pap; WmiOpcodePasswordEncoding:ascii; WmiOpcodePasswordSetUpdate',
  'Setup-Password gesetzt – BIOS-Password: nein',
  'Lenovo_SetBiosSetting("SecureBoot,Enable"): Success',
  'msbuild.exe /p:Configuration=Release · https://host/p?pwd · /etc/passwd',
  'IsAdminPasswordSet : False\r\nPasswordPolicy = none',
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
