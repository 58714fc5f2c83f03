// Finds passwords by the syntax of specific vendor tools, whatever precedes them.
import { MASK, type Range } from './values.ts';

/** An option's value: quoted, also with escaped quotes, or up to the next space. */
const VALUE = String.raw`\\+"[^"\r\n]*"?|"(?:[^"\\\r\n]|\\[^\r\n]?|"")*"?|'(?:[^'\r\n]|'')*'?|[“”„][^“”\r\n]*[“”]?|[^\s"'“”„]+(?:["'][^\s"',;)}\]]+)*`;
const QUOTED = `(?=["'“”„])`;
/** One comma-separated part of a Lenovo argument; bounded to keep the search fast on any text. */
const PART = String.raw`[^,"'“”()\r\n]{0,128}`;
/** Encoding and keyboard language after a Lenovo password; in a sentence other words follow ascii and scancode. */
const ENCODING = String.raw`(?=,\s?(?:ascii|scancode|utf-16),\s?(?!or\b)[a-z]{2}\b|,\s?(?:asc|asci|ascii|sca|scan|scanc|scanco|scancod|scancode|utf-1|utf-16),?[a-z]?$)`;
const SPACED_ENCODING = String.raw`[ \t]{1,8}(?:ascii|scancode|utf-16),(?:us|fr|gr)\b`;
const OPCODE = String.raw`WmiOpcodePassword(?!Type|Encoding|SetUpdate)[a-z]{0,24}\d{0,2}:`;
const JOINED = String.raw`(?:["'“”][ \t]{0,8}[+&][ \t]{0,8}["'“”])?`;
const ENCODED = String.raw`<(?:utf-16|kbd)/>${JOINED}[ \t]{0,2}`;
/** Excludes what the rules below handle. */
const NOT_ENCODED = String.raw`(?!\S{0,128}(?:ascii|scancode|utf-16),)`;
/** One argument of a command line. */
const ARGUMENT = String.raw`(?:"[^"\r\n]{0,256}"|'[^'\r\n]{0,256}'|[^\s"']{1,128})`;

const PROGRAM =
  'srsetup\\w{0,8}|srwin|cfgwin|hpqpswd|hpqrepset|hpbiosupdrec|editcmos|amidewin\\w{0,4}|amisce|scewin\\w{0,4}|afuwin\\w{0,4}|sshpass|psexec|paexec|ipmitool|racadm|certutil|signtool|winrs|mstsc|schtasks';
const PROGRAMS = new RegExp(`\\b(?:${PROGRAM})`, 'i');
const MARKED = /<(?:utf-16|kbd)\/>/i;
const ENCODINGS = /(?:asc|sca|utf-1)[a-z6]{0,5},|,(?:asc|sca|utf-1)[a-z6]{0,5}$/i;
const OPCODES = /wmiopcodepassword/i;

/** A word that every match contains, the part before the password, and the password itself. */
const FORMS: readonly [word: RegExp, before: string, secret: string][] = [
  // BIOS update packages of Dell, and HP's HPQPswd: setup.exe /s /p=…, HpqPswd.exe /p"…"
  [/[-–/]p=/i, String.raw`\.exe["']?[ \t][^\r\n]{0,200}?[-–/]p=`, VALUE],
  [/hpqpswd/i, String.raw`HpqPswd(?:64)?(?:\.exe)?["']?[ \t][^\r\n]{0,200}?[-–/]p(?:[:=]|[ \t]{0,8}${QUOTED})`, VALUE],
  // Lenovo's Think BIOS Config Tool: ThinkBiosConfig.hta "file=…" "key=…"
  [
    /thinkbiosconfig/i,
    String.raw`ThinkBiosConfig\w{0,8}\.(?:hta|exe)["']?(?:[^\r\n\x60^]|[\x60^]\s?){0,400}?["'“”„](?:key|pass)=`,
    String.raw`[^"'“”\r\n]{1,256}`,
  ],
  [
    /thinkbiosconfig/i,
    String.raw`ThinkBiosConfig\w{0,8}\.(?:hta|exe)["']?(?:[^\r\n\x60^]|[\x60^]\s?){0,400}?[ \t](?:key|pass)=`,
    VALUE,
  ],
  // HP's library: Set-HPBIOSSettingValue Name Value Password, Set-HPBIOSSettingDefaults Password
  [
    /set-hpbiossetting/i,
    String.raw`Set-HPBIOSSettingValue[ \t]{1,4}(?![-–])${ARGUMENT}[ \t]{1,4}(?![-–])${ARGUMENT}[ \t]{1,4}(?![-–|;#>:])`,
    VALUE,
  ],
  [/set-hpbiossetting/i, String.raw`Set-HPBIOSSettingDefaults[ \t]{1,4}(?=["'“]|[^\s]{0,64}\d)(?![-–|;#>:])`, VALUE],
  // Lenovo's scripts without an encoding: SetSupervisorPassword.vbs old new, SetConfigPassword.vbs item value password
  [
    /password\.vbs/i,
    String.raw`(?:Config|Setting)\w{0,16}Password\.vbs["']?[ \t]{1,4}${ARGUMENT}[ \t]{1,4}${ARGUMENT}[ \t]{1,4}${NOT_ENCODED}`,
    VALUE,
  ],
  [/password\.vbs/i, String.raw`(?<!Config|Setting)Password\.vbs["']?[ \t]{1,4}${NOT_ENCODED}`, VALUE],
  [
    /password\.vbs/i,
    String.raw`(?<!Config|Setting)Password\.vbs["']?[ \t]{1,4}${ARGUMENT}[ \t]{1,4}${NOT_ENCODED}`,
    VALUE,
  ],
  // Programs with -p for a password: SRSETUPWIN.exe /p x, psexec -u x -p y, sshpass -p x
  [
    PROGRAMS,
    String.raw`\b(?:${PROGRAM})(?:64|32)?(?:\.exe)?["']?[ \t][^\r\n]{0,200}?(?<!\S)["']?[-–/](?:p|rp|pap|svp|sap|uac|psw|pw|apwd|spwd|upwd)(?:[:=]|[ \t]{1,4}|(?=["'“]))(?![-–/\s])`,
    VALUE,
  ],
  [
    /hpqpswd|sshpass/i,
    String.raw`(?:HpqPswd(?:64)?(?:\.exe)?|sshpass)["']?[ \t](?:[^\r\n]{0,200}?[ \t])?[-–/]p(?![:=\s"'“”])`,
    VALUE,
  ],
  // openssl -passin pass:x
  [/pass:/i, String.raw`[-–]pass(?:in|out)?[ \t]{1,4}["']?pass:`, VALUE],
  // net use \\\\server\\share x /user:y, net user name x
  [
    /net[ \t]+user?/i,
    String.raw`\bnet(?:\.exe)?[ \t]{1,4}user?[ \t]{1,4}(?:[a-z*]:[ \t]{1,4})?${ARGUMENT}[ \t]{1,4}(?:/\w+(?::\S+)?[ \t]{1,4})?(?![/*\s])`,
    VALUE,
  ],
  // Addresses and curl: https://user:x@host, curl -u user:x
  [
    /:\/\/[^\s/]{1,128}:[^\s/]{1,256}@/,
    String.raw`[a-z][a-z\d+.-]{1,20}://[^\s/:@"'<>]{0,128}:`,
    String.raw`[^\s/@"'<>]{1,256}(?=@)`,
  ],
  [
    /curl|wget|invoke-/i,
    String.raw`(?:curl|wget)(?:\.exe)?[ \t](?:[^\r\n]{0,400}?[ \t])?(?:-u[ \t]{0,4}|--(?:proxy-)?user[ =])["']?[^\s:"']{1,128}:`,
    String.raw`[^\s"']{1,256}`,
  ],
  [
    /authorization/i,
    String.raw`Authorization["']?[ \t]{0,4}[:=][ \t]{0,4}["']?(?:Basic|Bearer)[ \t]{1,4}`,
    String.raw`[^\s"',;]{4,4096}`,
  ],
  // PowerShell's trace of a command: ParameterBinding(ConvertTo-SecureString): name="String"; value="x"
  [
    /parameterbinding/i,
    String.raw`ParameterBinding\(ConvertTo-SecureString\):[ \t]{0,4}name="String";[ \t]{0,4}value=`,
    VALUE,
  ],
  // … and its error for a surplus argument
  [/accepts argument/i, String.raw`(?:passw|pwd|securestring)[^\r\n]{0,160}accepts argument[ \t]{1,4}`, VALUE],
  // A certificate's private key: .Import("x.pfx", "x", …)
  [/\.import\(/i, String.raw`\.Import\([^,\r\n]{1,200},[ \t]{0,8}`, String.raw`"[^"\r\n]{1,256}"?|'[^'\r\n]{1,256}'?`],
  // Microsoft Surface, SEMM: setting 501 is the UEFI password
  [/\[501\]/, String.raw`\[501\]\.ConfiguredValue[ \t]{0,8}=[ \t]{0,8}`, VALUE],
  // HP WMI: SetBIOSSetting("Fast Boot","Enable","<utf-16/>…")
  [MARKED, `["'“”]${ENCODED}`, String.raw`[^"'“”\r\n]{1,256}`],
  [MARKED, ENCODED, String.raw`[^\s"'<,;)]+`],
  // Lenovo: WmiOpcodeInterface("WmiOpcodePasswordAdmin:…;")
  [OPCODES, `["'“”]${OPCODE}${JOINED}`, String.raw`[^"'“”;\r\n]{1,256}`],
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

/** Patterns, in lower case: every tool form contains one of these; texts without any can be skipped. */
export const TOOL_SIGNS = [...new Set(FORMS.map(([{ source }]) => source))];

const PATTERNS = FORMS.map(([word, before, secret]) => ({
  word,
  pattern: new RegExp(`(${before})(?:${secret})`, 'gi'),
}));

/** The passwords found by tool-specific forms. */
export function findToolSecrets(text: string): Range[] {
  return PATTERNS.filter(({ word }) => word.test(text)).flatMap(({ pattern }) =>
    [...text.matchAll(pattern)]
      .map(({ index, 0: whole, 1: before = '' }): Range => [index + before.length, index + whole.length])
      .filter(([start]) => !text.startsWith(MASK, start)),
  );
}
