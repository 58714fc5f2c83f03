// Finds names that denote a password (options, variables, members, cmdlets) and reads their values.
import {
  closingLength,
  DASH,
  isOption,
  MASK,
  quoteAt,
  readBare,
  readQuoted,
  readValues,
  skipBlanks,
  skipSpace,
} from './values.ts';
import type { Range, Reading } from './values.ts';
import { looksMadeUp } from './made-up.ts';
import {
  endsSoon,
  isBareList,
  isDirectory,
  isMadeUpAt,
  readBareList,
  readBelow,
  readComplaint,
  readMarkup,
  readSentence,
  readValueBefore,
  tagLength,
} from './sentences.ts';

/** The word a password's name ends in; excludes other words such as `bypass`. */
const WORD = String.raw`pass[_-]?w[o0]rds?|passwd|pass[_-]?phrases?|passcodes?|passkeys?|passw[oö]rter|passwort|kennwort|pwds?|pswd?|(?<!by|com|sur|tres|under|over)pass|secrets?|authorizationtoken|encryptionkey|sechandle|(?:(?<![\p{L}\p{N}])|(?<=bios|uefi|admin|setup|user|system|sys|hdd|supervisor|master|owner|old|new|current|[_-]))pw`;
/** What may follow that word within a name: `PasswordOld`, `pwd2`; but not `PasswordLength`, `PasswordSet`, `pwdfile`. */
const SUFFIX = String.raw`(?:[._-]?(?:old|new|current|previous|plain|text|plaintext|clear|secure|string|value|admin|setup|system|sys|hdd|bios|uefi|owner|user|master|list|array|candidates?|bytes|input|to[_-]?set|for[_-]?[a-z]{1,12}|str|enc|param|arg|entry|field|confirm(?:ation)?|again|repeat|retype|\d{1,3}))*`;
/** An index: `passwords[0]`, `Password #2`. */
const INDEX = String.raw`(?:\[\d{1,3}\]|[ \t]?#\d{1,3}(?=[ \t]*[:=(])|(?<!\bpass)[ \t]\d{1,2}(?=[ \t]*[:=(]))?`;
const NAME = new RegExp(String.raw`(?:${WORD})${SUFFIX}${INDEX}(?![\p{L}\p{N}_])(?!-(?:\p{L}))`, 'giu');

/** Every password name contains one of these; texts without any can be skipped. */
export const NAME_SIGN = 'pass|pw|psw|kennwort|secret|authorizationtoken|encryptionkey|sechandle';

/** Variables such as `$BiosPW`; without the prefix of a variable or option the two letters mean nothing. */
const SHORT = /(?:(?<=[$-])|(?<=[$-][a-z]{0,24}))pw(?![\p{L}\p{N}_])/giu;

/** Words that describe a password's state rather than being one. */
const STATE =
  /(?:not?|none|null|nil|true|false|yes|on|off|set|unset|notset|is|was|are|were|has|had|have|must|should|can|cannot|could|may|will|would|did|does|do|and|or|for|to|in|of|with|the|a|an|at|by|if|when|enabled?|disabled?|installed|present|absent|missing|empty|blank|required|changed?|cleared|unchanged|protected|invalid|valid|incorrect|correct|wrong|accepted|rejected|refused|failed|failure|fail|error|success|successful|successfully|succeeded|completed?|done|ok|unknown|n\/a|skipped|verified|matche[sd]|match|mismatch|mismatched|supported|unsupported|optional|default|hidden|shown|expired|active|inactive|locked|unlocked|frozen|configured|pending|took|takes|finished|started|running|cannot|returned|returns|threw|exited|exit|ended|already|policy|check|checked|prompt|please|provided|supplied|given|found|ja|nein|nicht|gesetzt|aktiviert|deaktiviert|oui|non|si|sí)(?=[.,;:)"'”’\]}]*(?:\s|$))/iuy;

const SIGN = new RegExp(`[${DASH}]`, 'u');
const LETTER = /[\p{L}\p{N}_]/u;
const INNER = new RegExp(`[\\p{L}\\p{N}_.]`, 'u');
const LONGEST_NAME = 64;

type Site = {
  /** The whole name, in lower case. */
  name: string;
  start: number;
  end: number;
  /** The kind of name, judged by what precedes it. */
  form: 'dash' | 'slash' | 'variable' | 'path' | 'element' | 'bare';
  /** The quotation mark before the name or its dash; empty if there is none. */
  quote: string;
};

/** All ranges to mask after names of passwords, in text order. */
export function findNamedSecrets(text: string): Range[] {
  const ranges: Range[] = [];
  for (const pattern of [NAME, SHORT]) {
    let readTo = 0;
    for (const { index, 0: word } of text.matchAll(pattern)) {
      if (index < readTo) continue;
      const reading = readSite(text, toSite(text, index, index + word.length));
      if (!reading) continue;
      ranges.push(...reading.ranges);
      readTo = reading.end;
    }
  }
  return ranges;
}

function toSite(text: string, wordAt: number, end: number): Site {
  let start = wordAt;
  const first = Math.max(0, wordAt - LONGEST_NAME);
  while (start > first) {
    const before = text[start - 1] ?? '';
    if (INNER.test(before) || (SIGN.test(before) && LETTER.test(text[start - 2] ?? ''))) start -= 1;
    else break;
  }
  const name = text.slice(start, end).toLowerCase();
  const before = text[start - 1] ?? '';
  if (SIGN.test(before)) {
    const dash = SIGN.test(text[start - 2] ?? '') ? start - 2 : start - 1;
    return { name, start, end, form: 'dash', quote: quoteBefore(text, dash) };
  }
  if (before === '/' && !LETTER.test(text[start - 2] ?? '') && !/[/.:<]/.test(text[start - 2] ?? ''))
    return { name, start, end, form: 'slash', quote: quoteBefore(text, start - 1) };
  if (before === '\\' || before === '/' || /env:$/i.test(text.slice(Math.max(0, start - 4), start)))
    return { name, start, end, form: 'path', quote: '' };
  if (
    before === '<' ||
    /<\/?[\w.-]{1,32}:$/.test(text.slice(Math.max(0, start - 35), start)) ||
    text.slice(start - 4, start) === '&lt;'
  )
    return { name, start, end, form: 'element', quote: '' };
  if (before === '$' || before === '%' || before === ':') return { name, start, end, form: 'variable', quote: '' };
  return { name, start, end, form: 'bare', quote: quoteBefore(text, start) };
}

/** The quotation mark directly before this position, also if several words follow it: `"Setup Password"`. */
function quoteBefore(text: string, at: number): string {
  for (const length of [6, 5, 4, 3, 2, 1]) {
    const quote = at >= length ? quoteAt(text, at - length) : '';
    if (quote.length === length) return quote;
  }
  return '';
}

/** PowerShell's own message before the name of a property: `Exception setting "Password": "Access denied"`. */
const EXCEPTION = /Exception (?:setting|getting|calling) ["'“]?$/i;

/** A number after a space: `Password 2: x` names the second password, `-Password 2:x` sets one that begins with 2. */
const SPACED_NUMBER = /[ \t]\d{1,2}$/;

/** Only prose numbers its passwords; after an option, a path or a setting's name the number begins the value. */
function withoutNumber(text: string, site: Site): Site {
  const isNumbered = site.form === 'variable' || (site.form === 'bare' && !isTarget(text, site));
  if (isNumbered || !/[:=(]/.test(text[site.end] ?? '')) return site;
  const number = SPACED_NUMBER.exec(text.slice(site.start, site.end))?.[0] ?? '';
  const name = site.name.slice(0, site.name.length - number.length);
  return { ...site, name, end: site.end - number.length };
}

function readSite(text: string, named: Site): Reading | null {
  const site = withoutNumber(text, named);
  const { form, end } = site;
  if (EXCEPTION.test(text.slice(Math.max(0, site.start - 24), site.start))) return null;
  if (form === 'dash' || form === 'slash') return readOption(text, site) ?? readNamedValue(text, end);
  if (form === 'element') return readElement(text, end) ?? readMarkup(text, site);
  if (VERB.test(site.name)) {
    const called = readCall(text, site.name, end);
    if (called) return called;
  }
  return (
    readQuotedName(text, site) ??
    ((form === 'path' && site.name !== 'password') || isTarget(text, site) ? readTarget(text, end) : null) ??
    readAssigned(text, site) ??
    readNamedValue(text, end) ??
    readValueBefore(text, site) ??
    readMarkup(text, site) ??
    readComplaint(text, site) ??
    readSentence(text, site)
  );
}

/** `--setuppwd=x`, `/cspwd:"x"`, `-Password x`, `"-Password","x"` */
function readOption(text: string, site: Site): Reading | null {
  const { end, quote } = site;
  const closed = closingLength(text, end, quote);
  if (closed > 0) return readArgument(text, end + closed) ?? readJoined(text, end, quote);
  const signAt = skipBlanks(text, end);
  const sign = text[signAt] ?? '';
  if (sign === '=' || sign === ':') return readBehindSign(text, site, signAt + 1);
  if (quoteAt(text, end) !== '') return readValues(text, end, false);
  const valueAt = skipSpace(text, end);
  if (valueAt === end || valueAt >= text.length || isOption(text, valueAt)) return null;
  const isWord = /passw|passphrase|passcode/.test(site.name);
  if (PUNCTUATION.test(text.slice(valueAt, valueAt + 8))) return null;
  if (site.form === 'slash' && !isWord) return readValues(text, valueAt, isMadeUpAt(text, valueAt));
  STATE.lastIndex = valueAt;
  if (STATE.test(text)) return null;
  return readValues(text, valueAt, true);
}

/** The value after an option's `=` or `:`. */
function readBehindSign(text: string, site: Site, behind: number): Reading | null {
  const valueAt = skipSpace(text, behind);
  if (valueAt >= text.length) return null;
  const joined = readJoined(text, behind, site.quote);
  if (joined) return joined;
  // After a space or line end this may be the next option, if this one has no value.
  if (valueAt > behind && isOption(text, valueAt)) return null;
  if (site.quote !== '' && quoteAt(text, valueAt) === '') {
    const closing = quotedTo(text, valueAt, site.quote);
    if (closing !== null) return { ranges: closing > valueAt ? [[valueAt, closing]] : [], end: closing };
  }
  return readValues(text, valueAt, true);
}

/** A value inserted into a quoted text that does not contain it: `"--setuppwd=" + "x"`, `"--setuppwd={0}" -f "x"`. */
function readJoined(text: string, at: number, quote: string): Reading | null {
  const isEmpty = quote !== '' && closingLength(text, at, quote) > 0;
  if (!isEmpty && !/^["']?[{%]/.test(text.slice(at, at + 2))) return null;
  const join = isEmpty ? JOIN : FORMAT;
  join.lastIndex = isEmpty ? at + closingLength(text, at, quote) : at;
  const found = join.exec(text)?.[0];
  return found === undefined ? null : readValues(text, join.lastIndex, text.startsWith(MASK, join.lastIndex));
}
const JOIN = /[ \t]*[+&.][ \t]*/y;
const FORMAT = new RegExp(String.raw`[^"'“”\r\n]{1,200}["'“”]\)?[ \t]*(?:[${DASH}]f|%|,|\.format)[ \t]*\(?`, 'iy');

/** The end of the quotation around a whole option (`"pass=two words"`), or the start of the next option in it. */
function quotedTo(text: string, at: number, quote: string): number | null {
  for (let here = at; here < Math.min(text.length, at + 512); here += 1) {
    const char = text[here] ?? '';
    if (char === '\n' || char === '\r') return null;
    if (closingLength(text, here, quote) > 0) return here;
    if (/\s/.test(char) && NEXT_ASSIGNED.test(text.slice(here + 1, here + 40))) return here;
  }
  return null;
}
const NEXT_ASSIGNED = new RegExp(String.raw`^(?:[${DASH}]{1,2}|/)[a-z]{2,32}(?:[=:\s]|$)`, 'iu');

/** The next argument in a list of arguments: `, "x"`, ` 'x'`. */
function readArgument(text: string, at: number): Reading | null {
  let here = skipSpace(text, at);
  if (/[,=:]/.test(text[here] ?? '')) here = skipSpace(text, here + 1);
  const quoted = readQuoted(text, here);
  return quoted && { ranges: [quoted.outer], end: quoted.outer[1] };
}

/** `"password": "x"`, `'Password' = 'x'`, `"Setup Password","x"`; `"pass=x"` is handled as an option. */
function readQuotedName(text: string, site: Site): Reading | null {
  const { end } = site;
  const closing = quoteAt(text, end);
  if (closing === '' || !isBehindQuote(text, site, closing)) return null;
  let here = skipSpace(
    text,
    end + closing.length + (INDEXED.exec(text.slice(end + closing.length, end + closing.length + 24))?.[0].length ?? 0),
  );
  const sign = /(?:=>|[:=,])/y;
  sign.lastIndex = here;
  const found = sign.exec(text)?.[0];
  if (found === undefined) return null;
  here = skipSpace(text, here + found.length);
  const isMember = found !== ',';
  if (/^(?:\[\s*\]|\{\s*\})/.test(text.slice(here, here + 8))) return null;
  const reading = readValues(text, here, isMember);
  if (!reading || reading.ranges.length === 0) return null;
  // `"name": "SetupPassword", "value": "x"`: the next text is a key, not the password.
  if (!isMember && /^[ \t]*[:=]/.test(text.slice(reading.end, reading.end + 16))) return null;
  if (isMember && !text.slice(here, here + 2).match(/[@([]/)) {
    const [only] = reading.ranges;
    const isLiteral = only && /^(?:null|true|false)\b/.test(text.slice(...only));
    return only && !isLiteral ? { ranges: [only], end: only[1] } : null;
  }
  return reading;
}

/** `$table["Password"] = "x"`, `.Parameters["NewPassword"].Value = "x"` */
const INDEXED = /^\](?:\.\w{1,16})?(?=[ \t]*=)/;

/** Whether the name is all of a short quoted text, or its end. */
function isBehindQuote(text: string, { start }: Site, closing: string): boolean {
  if (quoteBefore(text, start) !== '') return true;
  const before = text.slice(Math.max(0, start - 40), start);
  const opened = before.lastIndexOf(closing);
  return opened >= 0 && /^[\p{L}\p{N} _.\\:-]*$/u.test(before.slice(opened + closing.length));
}

/** `$BiosPassword = "x"`, `setuppwd=x`, `password: x`, `export BIOS_PWD=x` */
function readAssigned(text: string, site: Site): Reading | null {
  const { end, form, quote, name } = site;
  const signAt = skipBlanks(text, end + (/^[}%]/.test(text.slice(end, end + 1)) ? 1 : 0));
  const sign = text[signAt] ?? '';
  if (sign !== '=' && sign !== ':') return null;
  const isPass = /(?:^|[^a-z_])pass$/.test(name);
  if (isPass && form === 'bare' && quote === '' && quoteAt(text, end + 1) === '') return null;
  if (form === 'bare' && quote !== '' && sign === '=') return readBehindSign(text, site, signAt + 1);
  if (text[signAt + 1] === '=' || text[signAt + 1] === ':') return null;
  if (closingLength(text, signAt + 1, quote) > 0) return readJoined(text, signAt + 1, quote);
  const valueAt = skipBlanks(text, signAt + 1) + tagLength(text, skipBlanks(text, signAt + 1));
  const below = readBelow(text, site, valueAt);
  if (below) return below;
  if (isBareList(text, valueAt)) return readBareList(text, valueAt);
  if (isDirectory(text, site, valueAt)) return null;
  const values = readValues(text, valueAt, false);
  if (values && values.ranges.length > 0) return values;
  STATE.lastIndex = valueAt;
  if (valueAt >= text.length || STATE.test(text) || /[\s*<([{]/.test(text[valueAt] ?? ' ')) return null;
  const bare = readBare(text, valueAt);
  if (!bare) return null;
  const isTight = sign === '=' && valueAt === end + 1;
  if (!isTight && /^(?:[-–—.?]+|\d{1,2})$/.test(text.slice(...bare))) return null;
  const isFirst = startsLine(text, site);
  if (isFirst && looksMadeUp(text.slice(...bare)) && endsSoon(text, bare[1])) return readRest(text, valueAt);
  if (isFirst && sign === '=' && form === 'bare') return readRest(text, valueAt);
  return isTight || (isFirst && endsLine(text, bare[1])) ? { ranges: [bare], end: bare[1] } : null;
}

/** A value in a settings file or a `set` command extends to the end of the line, or to the next command or member. */
function readRest(text: string, at: number): Reading {
  const rest = /(?:(?!\s*(?:$|[\r\n])|\s[&|;]|\s[\w.-]{1,40}=)[^\r\n]){1,512}/y;
  rest.lastIndex = at;
  const end = at + (rest.exec(text)?.[0].length ?? 0);
  return { ranges: [[at, end]], end };
}

const startsLine = (text: string, { start }: Site): boolean =>
  /(?:^|[\r\n;{,(])[ \t$#+-]*(?:(?:set|export|let|var)[ \t]+)?"?$/i.test(text.slice(Math.max(0, start - 40), start));

const endsLine = (text: string, at: number): boolean => /^[ \t]*(?:[\r\n;}]|$)/.test(text.slice(at, at + 64));

/** `DellSmbios:\\Security\\AdminPassword x`, `Env:BIOS_PWD x`, `setx BIOS_PWD x` */
function readTarget(text: string, end: number): Reading | null {
  const quote = quoteAt(text, end);
  const from = end + quote.length;
  const valueAt = skipSpace(text, from);
  if (valueAt === from || valueAt >= text.length || isOption(text, valueAt)) return null;
  STATE.lastIndex = valueAt;
  if (STATE.test(text) || PUNCTUATION.test(text.slice(valueAt, valueAt + 8))) return null;
  return readValues(text, valueAt, true);
}

/** Punctuation in place of a value. */
const PUNCTUATION = /^(?:[|;,:=)\]}>&–—~-]+(?:\s|$)|[;,)\]}]|\.{2,}(?:\s|$))/;

const isTarget = (text: string, { start }: Site): boolean =>
  /(?:\bsetx|\b(?:set|new)-item|\bsi|-path)[ \t]+[^\s|;]{0,40}$/i.test(text.slice(Math.max(0, start - 64), start));

/** `-Name SetupPassword -Value x`, `name="SetupPassword" value="x"`, `Name = "Setup Password"; Value = "x"` */
const VALUE_MEMBER = new RegExp(
  String.raw`\\*["']?[)\]]?[ \t]*[,;]?\s*(?:(?:[${DASH}/](?:t|type|propertytype|scope)[ \t]+\w{1,24}|["']?(?:type|datatype|kind|xsi:type)["']?[ \t]*[:=][ \t]*["'][\w:.-]{1,32}["'])[ \t]*,?\s*){0,2}(?:/d[ \t]+|[${DASH}]?\\*["']?(?:new)?-?(?:value|val|data|newvalue|currentvalue|attributevalue)\\*["']?(?:[ \t]*[=:]|(?=[ \t]))\s*)`,
  'iuy',
);

function readNamedValue(text: string, end: number): Reading | null {
  VALUE_MEMBER.lastIndex = end;
  const found = VALUE_MEMBER.exec(text)?.[0];
  if (found === undefined || isOption(text, end + found.length) || text[end + found.length] === '<') return null;
  return readValues(text, end + found.length, true);
}

/** `<SetupPassword>x</SetupPassword>` */
function readElement(text: string, end: number): Reading | null {
  const tag = /(?:[^<>\r\n]{0,200}?)(?:>|&gt;)/y;
  tag.lastIndex = end;
  const rest = tag.exec(text)?.[0];
  if (rest === undefined) return readNamedValue(text, end);
  if (/\/(?:>|&gt;)$/.test(rest)) return readNamedValue(text, end);
  const from = end + rest.length;
  const value = /[^<&\r\n]+|&(?!lt;)[^<&\r\n]*/y;
  let to = from;
  for (value.lastIndex = from; value.exec(text); to = value.lastIndex);
  return to > from && text.slice(from, to).trim() !== '' ? { ranges: [[from, to]], end: to } : null;
}

/** Cmdlets and methods named after an operation on a password. */
const VERB =
  /(?:^|[.:_-])(?:set|clear|reset|change|new|update|remove|unlock|enter|verify|check|test|assert|save|add)[\w.-]*$/u;
const MOST_POSITIONAL = 3;

/** `Set-HPBIOSSetupPassword "new" "old"`, `.ChangePassword("old", "new")` */
function readCall(text: string, name: string, end: number): Reading | null {
  if (text[end] === '(') return /setnewpassword$|setbiospassword$/.test(name) ? null : readValues(text, end, true);
  if (!name.includes('-')) return null;
  const ranges: Range[] = [];
  let here = end;
  while (ranges.length < MOST_POSITIONAL) {
    const at = skipSpace(text, here);
    STATE.lastIndex = at;
    if (at === here || isOption(text, at) || STATE.test(text) || PUNCTUATION.test(text.slice(at, at + 8))) break;
    const reading = readValues(text, at, true);
    if (!reading) break;
    ranges.push(...reading.ranges);
    here = reading.end;
  }
  return ranges.length > 0 ? { ranges, end: here } : null;
}
