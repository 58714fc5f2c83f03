// BIOS passwords on command lines, as vendor tools echo them: masked before anything is stored.

const MASK = '[masked]';
const VALUE = String.raw`(?:"[^"\r\n]*"?|'[^'\r\n]*'?|[^\s"']+)`;
/** One comma-separated part of a Lenovo WMI argument; bounded, so that no text makes the search slow. */
const PART = String.raw`[^,"'()\r\n]{1,128}`;
/** The encoding and the keyboard language behind a Lenovo password; ascii and scancode in a sentence are followed by other words. */
const ENCODING = String.raw`(?=,\s?(?:ascii|scancode),\s?(?!or\b)[a-z]{2}\b)`;

const FORMS: readonly { pattern: RegExp; masked: string }[] = [
  // Dell Command | Configure: --setuppwd=…, --valsetuppwd=…, --syspwd=…, --hddpwd=…
  {
    pattern: new RegExp(
      String.raw`(--?(?:val)?(?:setup|sys|hdd|owner|admin|recovery)[a-z]{0,16}pwd[ \t]*[=:][ \t]*)${VALUE}`,
      'gi',
    ),
    masked: `$1${MASK}`,
  },
  // HP BIOS Configuration Utility: /cspwd:… (current), /nspwd:… (new)
  {
    pattern: new RegExp(String.raw`([-/](?:cspwd|nspwd|cpwd|npwd)[ \t]*[=:][ \t]*)${VALUE}`, 'gi'),
    masked: `$1${MASK}`,
  },
  // HP CMSL and other PowerShell tools: -Password …, -NewPassword …
  {
    pattern: new RegExp(
      String.raw`(-{1,2}(?:new|current|old|setup|poweron|bios|supervisor|system)?password(?:[ \t]*[=:][ \t]*|[ \t]+))${VALUE}`,
      'gi',
    ),
    masked: `$1${MASK}`,
  },
  // Lenovo SetBiosPassword("pap,old,new,ascii,us")
  {
    pattern: new RegExp(String.raw`\b((?:pap|pop|smp|[um]hdp\d{0,2}|adrp\d{0,2}),)${PART},${PART}${ENCODING}`, 'gi'),
    masked: `$1${MASK},${MASK}`,
  },
  // Lenovo SetBiosSetting("SecureBoot,Enable,password,ascii,us") and SaveBiosSettings("password,ascii,us")
  { pattern: new RegExp(`${PART}${ENCODING}`, 'gi'), masked: MASK },
];

/**
 * Masks what looks like a BIOS password on a command line and leaves every other character as it was.
 * @param text a run's output or error, of any length
 */
export function maskBiosPasswords(text: string): string {
  return FORMS.reduce((sofar, { pattern, masked }) => sofar.replace(pattern, masked), text);
}
