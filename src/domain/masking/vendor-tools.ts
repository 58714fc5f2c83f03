// Passwords by the form that one vendor's tool gives them, whatever stands before them.
import type { Range } from './values.ts';

/** What an option is given: quoted – also with escaped quotes –, or up to the next space. */
const VALUE = String.raw`\\+"[^"\r\n]*"?|"(?:[^"\\\r\n]|\\[^\r\n]?|"")*"?|'(?:[^'\r\n]|'')*'?|[“”„][^“”\r\n]*[“”]?|[^\s"'“”„]+(?:["'][^\s"',;)}\]]+)*`;
const QUOTED = `(?=["'“”„])`;
/** One comma-separated part of a Lenovo argument; bounded, so that no text makes the search slow. */
const PART = String.raw`[^,"'“”()\r\n]{0,128}`;
/** The encoding and the keyboard language behind a Lenovo password; ascii and scancode in a sentence are followed by other words. */
const ENCODING = String.raw`(?=,\s?(?:ascii|scancode|utf-16),\s?(?!or\b)[a-z]{2}\b)`;
const SPACED_ENCODING = String.raw`[ \t]{1,8}(?:ascii|scancode|utf-16),(?:us|fr|gr)\b`;
const OPCODE = String.raw`WmiOpcodePassword(?!Type|Encoding|SetUpdate)[a-z]{0,24}\d{0,2}:`;
const ENCODED = String.raw`<(?:utf-16|kbd)/>(?:["'][ \t]{0,8}\+[ \t]{0,8}["'])?`;

const MARKED = /<(?:utf-16|kbd)\/>/i;
const OPCODES = /wmiopcodepassword/i;
const ENCODINGS = /(?:ascii|scancode|utf-16),/i;

/** A word no text has the form without, what comes before the password, and the password. */
const FORMS: readonly [word: RegExp, before: string, secret: string][] = [
  // BIOS update packages of Dell, and HP's HPQPswd: setup.exe /s /p=…, HpqPswd.exe /p"…"
  [/[-–/]p=/i, String.raw`\.exe["']?[ \t][^\r\n]{0,200}?[-–/]p=`, VALUE],
  [/hpqpswd/i, String.raw`HpqPswd(?:64)?(?:\.exe)?["']?[ \t][^\r\n]{0,200}?[-–/]p(?:[:=]|[ \t]{0,8}${QUOTED})`, VALUE],
  // Lenovo's Think BIOS Config Tool: ThinkBiosConfig.hta "file=…" "key=…"
  [/thinkbiosconfig/i, String.raw`ThinkBiosConfig\.hta["']?[^\r\n]{0,400}?["'“”„]key=`, String.raw`[^"'“”\r\n]{1,256}`],
  // Microsoft Surface, SEMM: setting 501 is the UEFI password
  [/\[501\]/, String.raw`\[501\]\.ConfiguredValue[ \t]{0,8}=[ \t]{0,8}`, VALUE],
  // HP WMI: SetBIOSSetting("Fast Boot","Enable","<utf-16/>…")
  [MARKED, `["'“”]${ENCODED}`, String.raw`[^"'“”\r\n]{1,256}`],
  [MARKED, ENCODED, String.raw`[^\s"'<,;)]+`],
  // Lenovo: WmiOpcodeInterface("WmiOpcodePasswordAdmin:…;")
  [OPCODES, `["'“”]${OPCODE}`, String.raw`[^"'“”;\r\n]{1,256}`],
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

const PATTERNS = FORMS.map(([word, before, secret]) => ({
  word,
  pattern: new RegExp(`(${before})(?:${secret})`, 'gi'),
}));

/** What is masked of the tools' own forms. */
export function findToolSecrets(text: string): Range[] {
  return PATTERNS.filter(({ word }) => word.test(text)).flatMap(({ pattern }) =>
    [...text.matchAll(pattern)].map(({ index, 0: whole, 1: before = '' }): Range => [
      index + before.length,
      index + whole.length,
    ]),
  );
}
