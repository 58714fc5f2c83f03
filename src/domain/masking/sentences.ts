// Passwords after a name in sentences, tables, lists and markup: masked if they are quoted or look made up.
import { looksMadeUp } from './made-up.ts';
import {
  DASH,
  isOption,
  MASK,
  readBare,
  readQuoted,
  readValues,
  skipBlanks,
  type Range,
  type Reading,
} from './values.ts';

/** The name of a password in a text. */
type Name = { name: string; start: number; end: number; quote: string };

const IS_PASSWORD = /pass[_-]?w|passphrase|passcode|passkey|kennwort|pwd|psw|pw$/;
/** Closes the name itself: quotation marks, or a variable's brackets. */
const CLOSED = /["'’”\]})%]{0,3}/y;
const SIGN = new RegExp(
  String.raw`[ \t]*(?:=>|[${DASH}]+>|→|:=|={1,3}|!=|:|,(?=[ \t]*["'\p{L}\p{N}])|[ \t][${DASH}][ci]?(?:eq|ne|like|match)\b)[ \t]*`,
  'iyu',
);
const WORDS = /(?:[ \t]+(?:is|was|to|from|with|of|as|value|now|in|and|then|REG_\w{2,12}))*[ \t]+/iy;
const AND = /(?:[ \t]*,)?(?:[ \t]+(?:to|and|or|then|into|by))?[ \t]*/iy;
const MOST_VALUES = 8;

/** Quoted words that describe a state rather than being a password. */
const STATED =
  /^.?(?:not?|none|null|true|false|yes|on|off|is|un)?[ _-]?(?:set|installed|enabled|disabled|present|required|supported|configured|success(?:ful)?|failed|empty|blank|unknown|valid|invalid|)["'’”]?$/i;

function match(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

/** `password X`, `password is "X"`, `Password   X`, `from "X" to "Y"`, `[Password, X]`, `-eq "X"` */
export function readSentence(text: string, { name, start, end }: Name): Reading | null {
  if (!IS_PASSWORD.test(name)) return null;
  const closed = match(CLOSED, text, end)?.length ?? 0;
  const sign = match(SIGN, text, end + closed);
  if (sign?.startsWith(',') === true && text[start - 1] !== '[') return null;
  const joint = sign ?? match(WORDS, text, end + closed);
  if (joint === null) return null;
  const ranges: Range[] = [];
  let here = end + closed + joint.length;
  while (ranges.length < MOST_VALUES) {
    const value = readLikely(text, here);
    if (!value) break;
    ranges.push(value.range);
    here = value.end + (match(AND, text, value.end)?.length ?? 0);
    if (here === value.end) break;
  }
  return ranges.length > 0 ? { ranges, end: ranges.at(-1)?.[1] ?? here } : null;
}

/** A quoted text or a word that looks made up, optionally in brackets. */
function readLikely(text: string, at: number): { range: Range; end: number } | null {
  const opened = /[([{<]/.test(text[at] ?? '') && !text.startsWith(MASK, at) ? at + 1 : at;
  const quoted = readQuoted(text, opened);
  if (quoted) {
    const inner = text.slice(...quoted.inner);
    const isName = inner.length < 64 && /passw|pwd/i.test(inner);
    if (isName || STATED.test(inner) || inner.trim() === '' || inner.length > 256) return null;
    return { range: quoted.outer, end: quoted.outer[1] };
  }
  const bare = readWord(text, opened);
  return bare && { range: bare, end: bare[1] };
}

/** `password1 and password2` */
const IS_NAME = /^\w{0,32}(?:password|passwd|pwd)\d{0,2}$/i;

const LONGEST_WORD = 160;

/** The word at this position, without trailing punctuation, if it looks made up. */
function readWord(text: string, at: number): Range | null {
  if (text.startsWith(MASK, at)) return [at, at + MASK.length];
  const near = text.slice(at, at + LONGEST_WORD);
  const bare = readBare(near, 0);
  if (!bare || bare[1] === LONGEST_WORD) return null;
  const word = near.slice(0, bare[1]).replace(/(?:\.{2,}|[.,;:)\]}>])+$/, '');
  return looksMadeUp(word) && !IS_NAME.test(word) ? [at, at + word.length] : null;
}

export const isMadeUpAt = (text: string, at: number): boolean => readWord(text, at) !== null;

/** Whether the end of the line is near. */
export const endsSoon = (text: string, at: number): boolean =>
  /^[^\r\n]{0,64}(?:[\r\n]|$)/.test(text.slice(at, at + 66));

/** The length of a YAML tag such as `!!str`. */
export const tagLength = (text: string, at: number): number => match(/!{1,2}\w{0,16}[ \t]+/y, text, at)?.length ?? 0;

/** YAML values on the lines below their name: `password: |`, and lists. */
export function readBelow(text: string, { end }: Pick<Name, 'end'>, valueAt: number): Reading | null {
  const block = match(/[|>][+-]?\d?[ \t]*\r?\n/y, text, valueAt);
  if (block !== null) {
    const lines = match(/(?:[ \t]+[^\r\n]{1,512}(?:\r?\n(?=[ \t])|)){1,8}/y, text, valueAt + block.length);
    const to = valueAt + block.length + (lines?.length ?? 0);
    return lines === null ? null : { ranges: [[skipBlanks(text, valueAt + block.length), to]], end: to };
  }
  const ranges: Range[] = [];
  let here = valueAt;
  for (let items = 0; items < 64; items += 1) {
    const item = match(/\r?\n[ \t]*-[ \t]+/y, text, here);
    const value = item === null ? null : readLikely(text, here + item.length);
    if (!value) break;
    ranges.push(value.range);
    here = value.end;
  }
  return ranges.length > 0 && valueAt >= end ? { ranges, end: here } : null;
}

/** `[a, b]`, `{a, b}`, `(a)` without quotes. */
export function isBareList(text: string, at: number): boolean {
  const near = text.slice(at, at + 64);
  if (/^\[[a-z][\w.]*(?:\[\])?\]\s*["'(@$]/i.test(near)) return false;
  return /^[([{<][ \t]*[^\s"'“‘„([{@$&\\`]/.test(near) && !text.startsWith(MASK, at);
}

export function readBareList(text: string, at: number): Reading | null {
  const ranges: Range[] = [];
  const list = match(/[([{<][^()[\]{}<>\r\n]{0,512}/y, text, at) ?? '';
  for (const { index, 0: word } of list.matchAll(/[^\s,;()[\]{}<>]+/g)) {
    if (looksMadeUp(word)) ranges.push([at + index, at + index + word.length]);
  }
  return ranges.length > 0 ? { ranges, end: at + list.length } : null;
}

/** The shell's working directory: `PWD=/home/device`. */
export const isDirectory = (text: string, { name }: Pick<Name, 'name'>, at: number): boolean =>
  /^(?:old)?pwd$/.test(name) && /^(?:\/|[a-z]:\\)(?:[\w.-]+[\\/]?)*[ \t]*(?:[\r\n]|$)/i.test(text.slice(at, at + 256));

/** `{"value":"X","name":"SetupPassword"}`, `<add value="X" key="SetupPassword"/>` */
const BEFORE =
  /["']?\b(?:value|val|data|newvalue)["']?[ \t]*[:=][ \t]*("[^"\r\n]{1,256}"|'[^'\r\n]{1,256}')[ \t]*,?\s{0,16}["']?(?:name|key|id)["']?[ \t]*[:=][ \t]*["'][\w .-]*$/i;

export function readValueBefore(text: string, { start, end, quote }: Name): Reading | null {
  if (quote === '') return null;
  const from = Math.max(0, start - 360);
  const found = BEFORE.exec(text.slice(from, start));
  if (found?.[1] === undefined) return null;
  const at = from + found.index + found[0].indexOf(found[1]);
  return { ranges: [[at, at + found[1].length]], end };
}

/** `<S N="Password">X</S>`, `<key>Password</key><string>X</string>`, `<Password><Value>X</Value></Password>` */
const MARKUP = /[^<>\r\n]{0,200}>(?:\s{0,64}<(?!\/[^>]{1,64}>\s{0,64}<\/)[^<>!]{1,100}>){0,3}\s{0,64}(?:<!\[CDATA\[)?/y;
const ENDED = /<\/[\w:.-]{1,64}>(?:\s{0,64}<[^<>/!][^<>!]{0,100}>){1,2}\s{0,64}(?:<!\[CDATA\[)?/y;

export function readMarkup(text: string, { start, end }: Pick<Name, 'start' | 'end'>): Reading | null {
  const before = text.slice(Math.max(0, start - 200), start);
  const opened = before.lastIndexOf('<');
  if (opened < 0) return null;
  const isWithinTag = opened > before.lastIndexOf('>');
  const markup = match(isWithinTag ? MARKUP : ENDED, text, end);
  if (markup === null || /\/>/.test(markup)) return null;
  const from = end + markup.length;
  if (text.startsWith(MASK, from)) return { ranges: [[from, from + MASK.length]], end: from + MASK.length };
  const value = match(/[^<\r\n\]]{1,512}/y, text, from) ?? '';
  if (
    value.trim() === '' ||
    isOption(text, from) ||
    STATED.test(value.trim()) ||
    /^\s*(?:\d{1,3}|true|false)\s*$/i.test(value)
  )
    return null;
  return { ranges: [[from, from + value.length]], end: from + value.length };
}

/** PowerShell's error messages: `Cannot validate argument on parameter 'Password'. The argument "X" does not match …` */
const COMPLAINT =
  /["'’”][^\r\n"'“”‘’]{0,100}(?:\r?\n)?[^\r\n"'“”‘’]{0,100}\b(?:value|argument|convert|the|because|accepts)\s{1,4}(?=["'“‘])/iy;

export function readComplaint(text: string, { start, end }: Name): Reading | null {
  if (!/parameter(?: name)? ["'“‘]$/i.test(text.slice(Math.max(0, start - 20), start))) return null;
  const found = match(COMPLAINT, text, end);
  return found === null || isOption(text, end) ? null : readValues(text, end + found.length, false);
}
