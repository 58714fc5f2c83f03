// BIOS passwords masked as the first version did it: its fingerprints are over that text. Frozen; what is stored is masked by bios-password.ts.

const MASK = '[masked]';
/** What an option is given: quoted – also with typographic or escaped quotes –, or up to the next space. */
const VALUE = [
  String.raw`\\+"[^"\r\n]*"?`,
  String.raw`"(?:[^"\\\r\n]|\\[^\r\n]?|"")*"?`,
  String.raw`'(?:[^'\r\n]|'')*'?`,
  String.raw`[“”„][^“”\r\n]*[“”]?`,
  // A quote in the middle belongs to the value, one at its end to what is around it.
  String.raw`[^\s"'“”„]+(?:["'][^\s"',;)}\]]+)*`,
].join('|');
const QUOTED = `(?=["'“])`;
/** PowerShell takes long dashes for short ones; a dash within a word begins no option. */
const OPTION = String.raw`(?<![\w–—-])[-–—/]{1,2}`;
/** Behind a space it may be the next option, where this one was given nothing. */
const SPACED = String.raw`[ \t]{1,8}(?![-–—]{1,2}[a-z]|/[a-z]{1,32}[:=])`;
const ASSIGNED = String.raw`[ \t]{0,8}[=:](?:(?=\S)|${SPACED})`;
/** One comma-separated part of a Lenovo WMI argument; bounded, so that no text makes the search slow. */
const PART = String.raw`[^,"'“”()\r\n]{0,128}`;
/** The encoding and the keyboard language behind a Lenovo password; ascii and scancode in a sentence are followed by other words. */
const ENCODING = String.raw`(?=,\s?(?:ascii|scancode),\s?(?!or\b)[a-z]{2}\b)`;
const SPACED_ENCODING = String.raw`[ \t]{1,8}(?:ascii|scancode),(?:us|fr|gr)\b`;
const OPCODE = String.raw`WmiOpcodePassword(?:Admin|Current\d{0,2}|New\d{0,2}):`;
const ENCODED = String.raw`<(?:utf-16|kbd)/>(?:["'][ \t]{0,8}\+[ \t]{0,8}["'])?`;

/** What the words of several forms are. */
const MARKED = /<(?:utf-16|kbd)\/>/i;
const OPCODES = /wmiopcodepassword/i;
const ENCODINGS = /(?:ascii|scancode),/i;

/** Passwords by a word no text has them without, by what comes before them, and by their own form. */
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
  // A script's own line, as its error shows it: $password = "…", @{ Password = '…' }
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
  // Lenovo: SetBiosPassword("pap,old,new,ascii,us"), the old one; the new one is masked by what follows it
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

/** Most texts have none of the words, and need no closer look. */
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
