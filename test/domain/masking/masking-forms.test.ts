// Masking by kind: a random password in any documented form, quoting, spacing, case, line break and place never survives.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { maskBiosPasswords } from '../../../src/domain/masking/bios-password.ts';
import { fc } from '../../support/properties.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const text = (units: string, maxLength: number) =>
  fc
    .string({ unit: fc.constantFrom(...Array.from(units)), minLength: 6, maxLength })
    // No word of a sentence: those are left where nothing says that a password follows.
    .filter((password) => /[A-Z]/.test(password) && /\d/.test(password) && password.trim() === password);

/** Fit to stand without quotation marks. */
const bare = text(`${LETTERS}${LETTERS}!#$%*+.:?@^_~=-`, 20).filter((password) =>
  /^[A-Za-z0-9!#%*+.:?@^_~]/.test(password),
);
/** Fit to stand within them; no other option within the marks. */
const quoted = text(`${LETTERS}${LETTERS}!#$%&*+./:?@^_|~<>[]{}=-();  ,`, 24).filter(
  (password) => !/\s[-/]{1,2}[a-z]{2,}[=:\s]/i.test(password),
);
const plain = text(`${LETTERS}!#$%*+.?@^_~`, 20);

const MARKS: [string, string][] = [
  ['"', '"'],
  ["'", "'"],
  ['“', '”'],
  ['„', '“'],
  ['‘', '’'],
  ['\\"', '\\"'],
  ['&quot;', '&quot;'],
  ['`"', '`"'],
];
const marks = fc.constantFrom(...MARKS);
const straight = fc.constantFrom(...MARKS.slice(0, 2));
const dash = fc.constantFrom('-', '--', '–', '—', '―', '−', '‐');
const OPTIONS = [
  ...['Password', 'NewPassword', 'OldSetupPassword', 'biosPassword', 'AdminPassword', 'SystemManagementPassword'],
  ...['setuppwd', 'valsetuppwd', 'syspwd', 'hddpwd', 'ValOwnerPwd', 'cspwd', 'nspwd', 'BiosPwd', 'CertPassword'],
];
const option = fc.constantFrom(...OPTIONS, 'pass', 'pwd');
const name = fc.constantFrom(...OPTIONS);
const casing = fc.constantFrom(
  (word: string) => word,
  (word: string) => word.toLowerCase(),
  (word: string) => word.toUpperCase(),
);
const gap = fc.constantFrom(' ', '  ', '\t', ' `\n    ', ' `\r\n', '\u00a0', ' ^\r\n ', '\n', '   ');
const sign = fc.constantFrom('=', ':', ' = ', '= ', ': ');
const lead = fc.constantFrom('', 'cctk ', 'C:\\x\\cctk.exe --tpm=on ', '+ & ', 'line\n', 'PS> Set-X -Name y ', '>> ');
const tail = fc.constantFrom('', ' -Verbose', '\nnext', ' --tpm=on', ' ; exit');
const several = fc.array(quoted, { minLength: 1, maxLength: 3 });

/** What a tool printed, and the passwords in it. */
type Print = { text: string; passwords: string[] };

const print = <T extends object>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }, toPrint: (parts: T) => Print) =>
  fc.record(parts).map((values) => toPrint(values as T));

const inMarks = ([open, close]: [string, string], password: string) => `${open}${password}${close}`;

type Option = { lead: string; dash: string; option: string; casing: (word: string) => string; tail: string };
const optionParts = { lead, dash, option, casing, tail };

const PRINTS: Record<string, fc.Arbitrary<Print>> = {
  'an option, a sign and a bare value': print<Option & { password: string; sign: string }>(
    { ...optionParts, password: bare, sign: fc.constantFrom('=', ':') },
    (p) => ({
      text: `${p.lead}${p.dash}${p.casing(p.option)}${p.sign}${p.password}${p.tail}`,
      passwords: [p.password],
    }),
  ),
  'an option, a sign and a quoted value': print<Option & { password: string; sign: string; marks: [string, string] }>(
    { ...optionParts, password: quoted, sign, marks },
    (p) => ({
      text: `${p.lead}${p.dash}${p.casing(p.option)}${p.sign}${inMarks(p.marks, p.password)}${p.tail}`,
      passwords: [p.password],
    }),
  ),
  'an option, a gap and a quoted value': print<Option & { password: string; gap: string; marks: [string, string] }>(
    { ...optionParts, password: quoted, gap, marks },
    (p) => ({
      text: `${p.lead}${p.dash}${p.casing(p.option)}${p.gap}${inMarks(p.marks, p.password)}${p.tail}`,
      passwords: [p.password],
    }),
  ),
  'an option, a gap and a bare value': print<Option & { password: string; gap: string }>(
    { ...optionParts, password: bare, gap },
    (p) => ({ text: `${p.lead}${p.dash}${p.casing(p.option)}${p.gap}${p.password}${p.tail}`, passwords: [p.password] }),
  ),
  'an option and a list': print<
    Option & {
      passwords: string[];
      gap: string;
      marks: [string, string];
      separator: string;
      brackets: [string, string];
    }
  >(
    {
      ...optionParts,
      passwords: several,
      gap,
      marks,
      separator: fc.constantFrom(',', ', ', ' , ', ',\n  ', ',`\n '),
      brackets: fc.constantFrom<[string, string][]>(
        ['', ''],
        ['@(', ')'],
        ['(', ')'],
        ['@( ', ' )'],
        ['@(\n', '\n)'],
        ['[string[]]@(', ')'],
        ['[string[]](', ')'],
      ),
    },
    (p) => ({
      text: `${p.lead}${p.dash}${p.casing(p.option)}${p.gap}${p.brackets[0]}${p.passwords
        .map((password) => inMarks(p.marks, password))
        .join(p.separator)}${p.brackets[1]}${p.tail}`,
      passwords: p.passwords,
    }),
  ),
  'an option and a bare list': print<Option & { passwords: string[]; separator: string }>(
    {
      ...optionParts,
      passwords: fc.array(plain, { minLength: 2, maxLength: 3 }),
      separator: fc.constantFrom(',', ', '),
    },
    (p) => ({
      text: `${p.lead}${p.dash}${p.option} ${p.passwords.join(p.separator)}${p.tail}`,
      passwords: p.passwords,
    }),
  ),
  'an option with a slash': print<Option & { password: string; marks: [string, string] }>(
    { ...optionParts, password: quoted, marks },
    (p) => ({
      text: `${p.lead}/${p.casing(p.option)}:${inMarks(p.marks, p.password)}${p.tail}`,
      passwords: [p.password],
    }),
  ),
  'an option within quotation marks': print<{
    dash: string;
    option: string;
    password: string;
    marks: [string, string];
  }>({ dash, option, password: quoted, marks: fc.constantFrom(...MARKS.slice(0, 3)) }, (p) => ({
    text: `x ${inMarks(p.marks, `${p.dash}${p.option}=${p.password}`)} "--tpm=on"`,
    passwords: [p.password],
  })),
  'arguments in a list': print<{ option: string; password: string; marks: [string, string]; separator: string }>(
    { option, password: quoted, marks, separator: fc.constantFrom(',', ', ', ' ') },
    (p) => ({
      text: `Start-Process x ${inMarks(p.marks, `-${p.option}`)}${p.separator}${inMarks(p.marks, p.password)}`,
      passwords: [p.password],
    }),
  ),
  'Think BIOS Config Tool': print<{ password: string; key: string; marks: [string, string] }>(
    { password: quoted, key: plain, marks: fc.constantFrom(...MARKS.slice(0, 3)) },
    (p) => ({
      text: `ThinkBiosConfig.hta ${inMarks(p.marks, 'file=a.ini')} ${inMarks(p.marks, `pass=${p.password}`)}\nThinkBiosConfig.hta "key=${p.key}"`,
      passwords: [p.password, p.key],
    }),
  ),
  JSON: print<{ name: string; password: string; sign: string }>(
    { name, password: quoted, sign: fc.constantFrom(':', ': ', ' : ', ':\n  ') },
    (p) => ({ text: `{"${p.name}"${p.sign}${JSON.stringify(p.password)},"a":1}`, passwords: [p.password] }),
  ),
  'JSON with a list': print<{ name: string; passwords: string[] }>({ name, passwords: several }, (p) => ({
    text: JSON.stringify({ a: 1, [`${p.name}s`]: p.passwords, b: [1] }, null, 2),
    passwords: p.passwords,
  })),
  'JSON within JSON': print<{ name: string; password: string }>({ name, password: quoted }, (p) => ({
    text: JSON.stringify(JSON.stringify({ [p.name]: p.password, u: 'b' })),
    passwords: [p.password],
  })),
  'a name and its value': print<{ name: string; password: string }>({ name, password: quoted }, (p) => ({
    text: JSON.stringify([{ name: p.name, value: p.password }]),
    passwords: [p.password],
  })),
  XML: print<{ name: string; password: string }>(
    { name, password: quoted.filter((password) => !/[<>&]/.test(password)) },
    (p) => ({
      text: `<a><${p.name}>${p.password}</${p.name}><s name="${p.name}" value='${p.password}'/></a>`,
      passwords: [p.password],
    }),
  ),
  INI: print<{ name: string; casing: (word: string) => string; password: string; sign: string }>(
    {
      name,
      casing,
      password: quoted.filter((password) => /^[A-Za-z0-9][^\s;}]*$/.test(password)),
      sign: fc.constantFrom('=', ' = '),
    },
    (p) => ({ text: `[cctk]\n${p.casing(p.name)}${p.sign}${p.password}\nTpm=on`, passwords: [p.password] }),
  ),
  'a variable': print<{ variable: string; password: string; marks: [string, string]; sign: string }>(
    {
      variable: fc.constantFrom(
        'BiosPassword',
        'pwd',
        'env:BIOS_PASSWORD',
        'AdminPw',
        'OldPasswords',
        'script:Password',
      ),
      password: quoted,
      marks: fc.constantFrom(...MARKS.slice(0, 3)),
      sign: fc.constantFrom('=', ' = '),
    },
    (p) => ({ text: `$${p.variable}${p.sign}${inMarks(p.marks, p.password)}; y`, passwords: [p.password] }),
  ),
  'an environment variable': print<{ variable: string; password: string; form: (v: string, p: string) => string }>(
    {
      variable: fc.constantFrom('BIOS_PASSWORD', 'BIOSPWD', 'SetupPwd'),
      password: quoted.filter((password) => /^[A-Za-z0-9][^\s&|]*$/.test(password)),
      form: fc.constantFrom(
        (v: string, p: string) => `set ${v}=${p}`,
        (v: string, p: string) => `set "${v}=${p}"`,
        (v: string, p: string) => `export ${v}='${p}'`,
        (v: string, p: string) => `setx ${v} "${p}"`,
        (v: string, p: string) => `[Environment]::SetEnvironmentVariable("${v}", "${p}", "Machine")`,
        (v: string, p: string) => `Set-Item Env:${v} "${p}"`,
        (v: string, p: string) => `Set-Item -Path Env:\\${v} -Value "${p}"`,
        (v: string, p: string) => `${v}=${p} cctk`,
      ),
    },
    (p) => ({ text: p.form(p.variable, p.password), passwords: [p.password] }),
  ),
  'a cmdlet and its positions': print<{ cmdlet: string; passwords: string[]; marks: [string, string]; gap: string }>(
    {
      cmdlet: fc.constantFrom('Set-HPBIOSSetupPassword', 'Clear-HPBIOSSetupPassword', 'Clear-LnvSupervisorPassword'),
      passwords: several,
      marks: straight,
      gap,
    },
    (p) => ({
      text: `${p.cmdlet}${p.passwords.map((password) => `${p.gap}${inMarks(p.marks, password)}`).join('')} -Verbose`,
      passwords: p.passwords,
    }),
  ),
  'Dell: SetNewPassword': print<{
    old: string;
    password: string;
    separator: string;
    marks: [string, string];
    casing: (word: string) => string;
    open: string;
  }>(
    {
      old: quoted,
      password: quoted,
      separator: fc.constantFrom(',', ', ', ' , ', ',\n '),
      marks: fc.constantFrom(...MARKS.slice(0, 3)),
      casing,
      open: fc.constantFrom(' (', '(', '( '),
    },
    (p) => ({
      text: `$SI.${p.casing('SetNewPassword')}${p.open}${['0', '0', '0', ...['Admin', p.old, p.password].map((value) => inMarks(p.marks, value))].join(p.separator)})`,
      passwords: [p.old, p.password],
    }),
  ),
  'HP: SetBIOSSetting': print<{
    old: string;
    password: string;
    mark: string;
    separator: string;
    marks: [string, string];
  }>(
    {
      old: quoted.filter((password) => !/[<>]/.test(password)),
      password: quoted.filter((password) => !/[<>]/.test(password)),
      mark: fc.constantFrom('', '<utf-16/>', '<kbd/>'),
      separator: fc.constantFrom(',', ', '),
      marks: straight,
    },
    (p) => ({
      text:
        `$i.SetBIOSSetting(${[`Setup Password`, `${p.mark}${p.password}`, `${p.mark}${p.old}`].map((value) => inMarks(p.marks, value)).join(p.separator)})\n` +
        `$i.SetBIOSSetting("Fast Boot"${p.separator}"Enable"${p.separator}"${p.mark}${p.old}")`,
      passwords: [p.old, p.password],
    }),
  ),
  'Lenovo: comma-separated texts': print<{
    old: string;
    password: string;
    encoding: string;
    form: (old: string, password: string, encoding: string) => string;
  }>(
    {
      old: plain,
      password: plain,
      encoding: fc.constantFrom(',ascii,us', ',ascii,us;', ',scancode,gr', ''),
      form: fc.constantFrom(
        (o: string, p: string, e: string) =>
          `(gwmi -class Lenovo_SetBiosPassword –namespace root\\wmi).SetBiosPassword("pap,${o},${p}${e}")`,
        (o: string, p: string, e: string) =>
          `x.SetBiosSetting('WakeOnLAN,Enable,${o}${e}'); y.SaveBiosSettings("${p}${e}")`,
        (o: string, p: string, e: string) =>
          `Invoke-CimMethod -InputObject $x -MethodName SaveBiosSettings -Arguments @{ parameter = "${o}${e}" }\nInvoke-WmiMethod -Name SetBiosPassword -ArgumentList "svp,${o},${p}${e}"`,
        (o: string, p: string) =>
          `WmiOpcodeInterface("WmiOpcodePasswordCurrent01:${o};"); WmiOpcodeInterface("WmiOpcodePasswordNew01:${p};")`,
      ),
    },
    (p) => ({ text: p.form(p.old, p.password, p.encoding), passwords: [p.old, p.password] }),
  ),
  'secure strings and credentials': print<{
    password: string;
    marks: [string, string];
    form: (password: string) => string;
  }>(
    {
      password: quoted,
      marks: straight,
      form: fc.constantFrom(
        (p: string) => `New-Object System.Management.Automation.PSCredential("u", ${p})`,
        (p: string) => `[PSCredential]::new("u", ${p})`,
        (p: string) => `New-Object PSCredential 'u', ${p}`,
        (p: string) => `New-Object PSCredential ("u", (ConvertTo-SecureString ${p} -AsPlainText -Force))`,
        (p: string) => `ConvertTo-SecureString -String ${p} -AsPlainText`,
        (p: string) => `ConvertTo-SecureString -AsPlainText -Force ${p}`,
        (p: string) => `${p} | ConvertTo-SecureString -AsPlainText -Force`,
        (p: string) => `[System.Net.NetworkCredential]::new("", ${p}).Password`,
        (p: string) => `$uefi.BuildAndSignPermissionPackage($key, ${p}, "", $null, $lsv)`,
      ),
    },
    (p) => ({ text: p.form(inMarks(p.marks, p.password)), passwords: [p.password] }),
  ),
  'Dell: provider, monitor, updates': print<{
    old: string;
    password: string;
    form: (password: string, old: string) => string;
  }>(
    {
      old: bare,
      password: bare,
      form: fc.constantFrom(
        (p: string, o: string) => `Set-Item -Path DellSmbios:\\Security\\AdminPassword ${p} -Password ${o}`,
        (p: string, o: string) => `Set-Item DellSmbios:\\Security\\SystemPassword -Value "${p}" –Password "${o}"`,
        (p: string, o: string) => `si .\\AdminPassword ${p} -Password ${o}`,
        (p: string, o: string) => `Set-Item AdminPassword "${p}" -Password "${o}"`,
        (p: string, o: string) =>
          `SetBIOSAttributes -Arguments @{AttributeName=@("AdminPwd");AttributeValue=@("${p}");AuthorizationToken="${o}"}`,
        (p: string, o: string) => `dcu-cli /generateEncryptedPassword -encryptionKey="${o}" -password="${p}"`,
        (p: string, o: string) => `Latitude.exe /s /p=${p}\nFlash64W.exe /b=x.exe /s /p="${o}"`,
      ),
    },
    (p) => ({ text: p.form(p.password, p.old), passwords: [p.old, p.password] }),
  ),
};

describe('any password · in this form · does not survive, and masking twice changes nothing', () => {
  test.each(Object.entries(PRINTS))('%s', (_form, prints) => {
    fc.assert(
      fc.property(prints, ({ text: printed, passwords }) => {
        const masked = maskBiosPasswords(printed);
        for (const password of passwords) expect(masked).not.toContain(password);
        expect(maskBiosPasswords(masked)).toBe(masked);
      }),
      { numRuns: 500 },
    );
  });
});

/** The examples of the table of forms, as a person reads them. */
const EXAMPLES = (() => {
  const page = readFileSync(new URL('../../../docs/masking.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| .*Secret/.test(line));
  return rows.flatMap((row) =>
    (row.split(/(?<!\\)\|/)[2] ?? '').split(' · ').map((cell) =>
      cell
        .trim()
        .replace(/^(`+) ?|(?: ?`+)$/g, '')
        .replaceAll('\\|', '|'),
    ),
  );
})();

test('docs/masking.md · names many forms · each is masked whole', () => {
  expect(EXAMPLES.length).toBeGreaterThan(50);
  for (const example of EXAMPLES) {
    expect(example).toContain('Secret');
    expect(maskBiosPasswords(example)).toContain('[masked]');
    expect(maskBiosPasswords(example)).not.toContain('Secret');
  }
});

/** What tools print of passwords without printing one. */
const ORDINARY = [
  'The password for user bob has expired.',
  'Setting "Setup Password" requires authentication',
  'Name: Setup Password, Value: <not shown>',
  'PasswordLength : 8',
  'MinimumPasswordLength = 4',
  'IsPasswordSet = 1',
  'Set-HPBIOSSetupPassword failed with error 5',
  'Set-HPBIOSSetupPassword : Access denied',
  'Clear-HPBIOSSetupPassword returned 0',
  'Verify password... done',
  'password check passed: 12 of 12',
  'PASS=12 FAIL=3',
  'tests passed=3',
  'cd /d %~dp0 && pwd',
  'BIOS password: not set',
  'Admin password = Not Set',
  'AdminPassword: Set',
  'BIOS Administrator Password changed successfully',
  'Use -Password to give the current password.',
  'WARNING: The parameter -Password is obsolete, use -PasswordSecure.',
  'Password jumper: installed',
  'PasswordBypass=RebootBypass',
  'StrongPassword=Disabled',
  'PwdUpperCaseRqd=Disabled',
  'Compass=1 bypass=2',
  'Lenovo_SaveBiosSettings: Success',
  'Lenovo_SetBiosPassword class not found',
  '(Get-Credential).Password',
  'C:\\Program Files\\Password Tool\\run.exe /s',
  'Enter your password: ',
  'password1 and password2 do not match',
  'System Password Present: False',
  '{"passwordSet":true,"passwordPolicy":"strong"}',
  '{"password":null,"isPasswordSet":false}',
  '<IsPasswordSet>0</IsPasswordSet>',
  'cctk --setuppwd=<password>',
  '--setuppwd   Sets the setup password',
];

test('ordinary output about passwords · is left alone · but for lines of help', () => {
  expect(ORDINARY.filter((line) => maskBiosPasswords(line) !== line)).toEqual(ORDINARY.slice(-2));
});
