// Masks BIOS passwords as the first version did, for its fingerprints. Frozen; bios-password.ts masks what is stored.

const MASK = '[masked]';
/** An option's value: quoted, also with typographic or escaped quotes, or up to the next space. */
const VALUE = [
  String.raw`\\+"[^"\r\n]*"?`,
  String.raw`"(?:[^"\\\r\n]|\\[^\r\n]?|"")*"?`,
  String.raw`'(?:[^'\r\n]|'')*'?`,
  String.raw`[“”„][^“”\r\n]*[“”]?`,
  // A quote in the middle belongs to the value, one at its end to the surrounding text.
  String.raw`[^\s"'“”„]+(?:["'][^\s"',;)}\]]+)*`,
].join('|');
const QUOTED = `(?=["'“])`;
/** PowerShell accepts long dashes as well; a dash within a word does not begin an option. */
const OPTION = String.raw`(?<![\w–—-])[-–—/]{1,2}`;
/** After a space this may be the next option, if this one has no value. */
const SPACED = String.raw`[ \t]{1,8}(?![-–—]{1,2}[a-z]|/[a-z]{1,32}[:=])`;
const ASSIGNED = String.raw`[ \t]{0,8}[=:](?:(?=\S)|${SPACED})`;
/** One comma-separated part of a Lenovo WMI argument; bounded to keep the search fast on any text. */
const PART = String.raw`[^,"'“”()\r\n]{0,128}`;
/** Encoding and keyboard language after a Lenovo password; in a sentence other words follow ascii and scancode. */
const ENCODING = String.raw`(?=,\s?(?:ascii|scancode),\s?(?!or\b)[a-z]{2}\b)`;
const SPACED_ENCODING = String.raw`[ \t]{1,8}(?:ascii|scancode),(?:us|fr|gr)\b`;
const OPCODE = String.raw`WmiOpcodePassword(?:Admin|Current\d{0,2}|New\d{0,2}):`;
const ENCODED = String.raw`<(?:utf-16|kbd)/>(?:["'][ \t]{0,8}\+[ \t]{0,8}["'])?`;

/** Words shared by several forms. */
const MARKED = /<(?:utf-16|kbd)\/>/i;
const OPCODES = /wmiopcodepassword/i;
const ENCODINGS = /(?:ascii|scancode),/i;

/** A word that every match contains, the part before the password, and the password itself. */
const FORMS: readonly [word: RegExp, before: string, secret: string][] = [
  // Dell Command | Configure: --setuppwd=…, --valsetuppwd=…, --hddpwd=… · HP BIOS Configuration Utility: /cspwd:…,
  // /nspwd:… (its …pwdfile options name files) · others: /pwd=…, /newpwd:…
  [/pwd|pass/i, `${OPTION}[a-z]{0,32}(?:pwd|pass|passwd)${ASSIGNED}`, VALUE],
  [/securestring/i, String.raw`ConvertTo-SecureString[ \t]{1,8}(?:-String[ \t]{1,8})?`, VALUE],
  // HP CMSL, Dell Command | Update and PowerShell scripts: -Password …, -NewSetupPassword …, -biosPassword=…
  [/password/i, `${OPTION}[a-z]{0,32}password(?:${ASSIGNED}|${SPACED})`, VALUE],
  // Dell PowerShell Provider: Set-Item -Path DellSmbios:\Security\AdminPassword …
  [
    /(?:admin|system|hdd)password/i,
    String.raw`[\\/](?:admin|system|hdd)password["']?(?:[ \t]{1,8}-Value)?${SPACED}`,
    VALUE,
  ],
  // BIOS update packages of Dell, and HP's HPQPswd: setup.exe /s /p=…, HpqPswd.exe /p"…"
  [/[-/]p=/i, String.raw`\.exe"?[ \t][^\r\n]{0,200}?[-/]p=`, VALUE],
  [/hpqpswd/i, String.raw`HpqPswd(?:64)?(?:\.exe)?"?[ \t][^\r\n]{0,200}?[-/]p(?:[:=]|${QUOTED})`, VALUE],
  // A line of a script, as quoted in its error: $password = "…", @{ Password = '…' }
  [
    /(?:password|passwd|pwd)[ \t]{0,8}=/i,
    String.raw`\b[a-z]{0,32}(?:password|passwd|pwd)[ \t]{0,8}=[ \t]{0,8}${QUOTED}`,
    VALUE,
  ],
  // HP WMI: SetBIOSSetting("Setup Password","…"), SetBIOSSetting("Fast Boot","Enable","<utf-16/>…")
  [
    / password["']/i,
    String.raw`["'](?:setup|power-on|admin|system) password["'][ \t]{0,8},[ \t]{0,8}${QUOTED}(?!["']<)`,
    VALUE,
  ],
  [MARKED, `["']${ENCODED}`, String.raw`[^"'\r\n]{1,256}`],
  [MARKED, ENCODED, String.raw`[^\s"'<,;)]+`],
  // Lenovo: WmiOpcodeInterface("WmiOpcodePasswordAdmin:…;")
  [OPCODES, `["'“]${OPCODE}`, String.raw`[^"'“”;\r\n]{1,256}`],
  [OPCODES, OPCODE, String.raw`[^\s"'“”;,)]+`],
  // Lenovo: SetBiosPassword("pap,old,new,ascii,us"): the old password; the new one matches a rule below
  [
    ENCODINGS,
    String.raw`\b(?:pap|pop|smp|svp|[um](?:hdp|drp|nvp)\d{0,2}|adrp\d{0,2}),`,
    `${PART}(?=,${PART}${ENCODING})`,
  ],
  // Lenovo: SetBiosSetting("SecureBoot,Enable,password,ascii,us"), SaveBiosSettings("password,ascii,us")
  [ENCODINGS, '(?<=[,"\'“”(])', `(?!,)${PART}${ENCODING}`],
  [ENCODINGS, String.raw`(?<![^\s,"'“”()])`, String.raw`[^\s,"'“”()]{1,128}${ENCODING}`],
  // Lenovo's scripts: SetSupervisorPassword.vbs old new ascii,us
  [ENCODINGS, String.raw`(?<!\S)`, String.raw`\S{1,128}(?=[ \t]{1,8}\S{1,128}${SPACED_ENCODING})`],
  [ENCODINGS, String.raw`(?<!\S)`, String.raw`\S{1,128}(?=${SPACED_ENCODING})`],
];

/** Most texts contain none of these words and need no further test. */
const ANY_WORD = new RegExp([...new Set(FORMS.map(([word]) => word.source))].join('|'), 'i');

const PATTERNS = FORMS.map(([word, before, secret]) => ({
  word,
  pattern: new RegExp(`(${before})(?:${secret})`, 'gi'),
}));

/** @param text a run's output or error, of any length */
export function maskAsAtFirst(text: string): string {
  if (!ANY_WORD.test(text)) return text;
  return PATTERNS.reduce(
    (sofar, { word, pattern }) => (word.test(sofar) ? sofar.replace(pattern, `$1${MASK}`) : sofar),
    text,
  );
}
