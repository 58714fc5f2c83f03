// BIOS passwords on command lines, as vendor tools echo them: masked before anything is stored.

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

/** Passwords by what comes before them, and by their own form. */
const FORMS: readonly [before: string, secret: string][] = [
  // Dell Command | Configure: --setuppwd=…, --valsetuppwd=…, --hddpwd=… · HP BIOS Configuration Utility: /cspwd:…,
  // /nspwd:… (its …pwdfile options name files) · others: /pwd=…, /newpwd:…
  [`${OPTION}[a-z]{0,32}(?:pwd|pass|passwd)${ASSIGNED}`, VALUE],
  [String.raw`ConvertTo-SecureString[ \t]{1,8}(?:-String[ \t]{1,8})?`, VALUE],
  // HP CMSL, Dell Command | Update and PowerShell scripts: -Password …, -NewSetupPassword …, -biosPassword=…
  [`${OPTION}[a-z]{0,32}password(?:${ASSIGNED}|${SPACED})`, VALUE],
  // Dell PowerShell Provider: Set-Item -Path DellSmbios:\Security\AdminPassword …
  [String.raw`[\\/](?:admin|system|hdd)password["']?(?:[ \t]{1,8}-Value)?${SPACED}`, VALUE],
  // BIOS update packages of Dell, and HP's HPQPswd: setup.exe /s /p=…, HpqPswd.exe /p"…"
  [String.raw`\.exe"?[ \t][^\r\n]{0,200}?[-/]p=`, VALUE],
  [String.raw`HpqPswd(?:64)?(?:\.exe)?"?[ \t][^\r\n]{0,200}?[-/]p(?:[:=]|${QUOTED})`, VALUE],
  // A script's own line, as its error shows it: $password = "…", @{ Password = '…' }
  [String.raw`\b[a-z]{0,32}(?:password|passwd|pwd)[ \t]{0,8}=[ \t]{0,8}${QUOTED}`, VALUE],
  // HP WMI: SetBIOSSetting("Setup Password","…"), SetBIOSSetting("Fast Boot","Enable","<utf-16/>…")
  [String.raw`["'](?:setup|power-on|admin|system) password["'][ \t]{0,8},[ \t]{0,8}${QUOTED}(?!["']<)`, VALUE],
  [`["']${ENCODED}`, String.raw`[^"'\r\n]{1,256}`],
  [ENCODED, String.raw`[^\s"'<,;)]+`],
  // Lenovo: WmiOpcodeInterface("WmiOpcodePasswordAdmin:…;")
  [`["'“]${OPCODE}`, String.raw`[^"'“”;\r\n]{1,256}`],
  [OPCODE, String.raw`[^\s"'“”;,)]+`],
  // Lenovo: SetBiosPassword("pap,old,new,ascii,us"), the old one; the new one is masked by what follows it
  [String.raw`\b(?:pap|pop|smp|svp|[um](?:hdp|drp|nvp)\d{0,2}|adrp\d{0,2}),`, `${PART}(?=,${PART}${ENCODING})`],
  // Lenovo: SetBiosSetting("SecureBoot,Enable,password,ascii,us"), SaveBiosSettings("password,ascii,us")
  ['(?<=[,"\'“”(])', `(?!,)${PART}${ENCODING}`],
  [String.raw`(?<![^\s,"'“”()])`, String.raw`[^\s,"'“”()]{1,128}${ENCODING}`],
  // Lenovo's scripts: SetSupervisorPassword.vbs old new ascii,us
  [String.raw`(?<!\S)`, String.raw`\S{1,128}(?=[ \t]{1,8}\S{1,128}${SPACED_ENCODING})`],
  [String.raw`(?<!\S)`, String.raw`\S{1,128}(?=${SPACED_ENCODING})`],
];

const PATTERNS = FORMS.map(([before, secret]) => new RegExp(`(${before})(?:${secret})`, 'gi'));

/** No form is without one of these; most texts have none and need no closer look. */
const HINT = /pass|pwd|pswd|securestring|[-/]p=|<(?:utf-16|kbd)\/>|ascii|scancode/i;

/**
 * Masks what looks like a BIOS password on a command line and leaves every other character as it was.
 * @param text a run's output or error, of any length
 */
export function maskBiosPasswords(text: string): string {
  if (!HINT.test(text)) return text;
  return PATTERNS.reduce((sofar, pattern) => sofar.replace(pattern, `$1${MASK}`), text);
}
