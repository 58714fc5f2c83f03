// Reads the value of an option, assignment or call: quoted in any way, bare, or a list of values.

/** Start and end of something to mask, as offsets into the text. */
export type Range = [start: number, end: number];

/** The ranges to mask, and where reading stopped. */
export type Reading = { ranges: Range[]; end: number };

/** Maximum length of a list, including its brackets, which keeps the search fast on any text. */
const LONGEST_LIST = 2000;
const LONGEST_QUOTED = 1024;
const LONGEST_BARE = 2048;

/** Spaces as consoles, word processors and web pages write them. */
const BLANKS = /[ \t\u00a0\u2000-\u200b\u202f\u3000]*/y;
/** A line continuation after a backtick, caret or backslash; consoles and error records put a prefix on the next line. */
const CONTINUED =
  /(?:[ \t\u00a0]*[`^\\]?[ \t]*\r?\n(?:>>[ \t]?|[ \t]{0,8}\+[ \t]|[ \t]{0,8}\d{0,6}[ \t]{0,4}\|[ \t])?)/y;

const DOUBLE = '"“”„‟«»';
const SINGLE = "'‘’‚‛‹›";
/** Quotation marks of shells, JSON, XML and word processors. */
const OPENING = new RegExp(
  String.raw`"{2,3}(?=[\p{L}\p{N}])|\\*"|\\+'|[\x60^]"|&(?:quot|apos|#34|#39|#x22|#x27);|\\+u002[27]|[${DOUBLE}${SINGLE}]`,
  'iyu',
);
/** A bare value. A quotation mark within it is part of it; one at its end belongs to the surrounding text. */
const BARE =
  /(?:&(?!quot;|apos;|#34;|#39;|#x22;|#x27;|lt;|gt;)|[\\`][ \t](?=[\p{L}\p{N}])|[^\s"'“”„&])+(?:["'](?=[^\s"',;)}\]])[^\s"']+)*/iuy;

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

/** Skips spaces. */
export const skipBlanks = (text: string, at: number): number => at + match(BLANKS, text, at).length;

/** Skips spaces and line ends. */
export function skipSpace(text: string, at: number): number {
  let here = skipBlanks(text, at);
  for (let lines = 0; lines < 3; lines += 1) {
    const broken = match(CONTINUED, text, here);
    if (broken === '') break;
    here = skipBlanks(text, here + broken.length);
  }
  return here;
}

/** The quotation mark at this position; empty if there is none. */
export const quoteAt = (text: string, at: number): string => match(OPENING, text, at);

const isDouble = (quote: string): boolean => quote.length === 1 && quote !== '"' && DOUBLE.includes(quote);
const isSingle = (quote: string): boolean => quote.length === 1 && quote !== "'" && SINGLE.includes(quote);

/** The end of the line, searched only up to the maximum length of a quoted text. */
function lineEnd(text: string, at: number): number {
  const limit = Math.min(text.length, at + LONGEST_QUOTED);
  for (let end = at; end < limit; end += 1) if (text[end] === '\n' || text[end] === '\r') return end;
  return limit;
}

/** The range of the closing mark of a quoted text between `from` and `to`; null if it is not closed. */
function closingIn(text: string, quote: string, from: number, to: number): Range | null {
  for (let at = from; at < to; at += 1) {
    const char = text[at] ?? '';
    if (quote === '"' || quote === "'") {
      if (char === '\\' || (char === '`' && quote === '"')) {
        // An escaped mark, unless the quoted text ends here: "C:\bios\"
        if (text[at + 1] === quote && isInner(text, at + 2)) at += 1;
        else if (char === '\\' && text[at + 1] === '\\') at += 1;
      } else if (char === quote) {
        if (text[at + 1] !== quote) return [at, at + 1];
        if (at === from && !isInner(text, at + 2)) return [at, at + 1];
        at += 1;
      }
    } else {
      const length = closingLength(text, at, quote);
      if (length > 0) return [at, at + length];
    }
  }
  return null;
}

/** Whether a quoted text continues here: a closing mark is followed by white space or punctuation. */
const isInner = (text: string, at: number): boolean => at < text.length && !/[\s,;:)}\]|&<>+]/.test(text[at] ?? '');

/** PowerShell here-strings: `@"`, lines, and `"@` at the start of a line. */
const HERE = /@(["'])[ \t]*\r?\n/y;

function readHere(text: string, at: number): { outer: Range; inner: Range } | null {
  const opened = match(HERE, text, at);
  if (opened === '') return null;
  const from = at + opened.length;
  const within = text.slice(from, from + LONGEST_QUOTED);
  const closed = within.search(opened[1] === '"' ? /^"@/m : /^'@/m);
  const to = from + (closed < 0 ? within.length : closed);
  return { outer: [at, closed < 0 ? to : to + 2], inner: [from, to] };
}

/** The quoted text at this position, and the part within its marks; a console may have wrapped it once. */
export function readQuoted(text: string, at: number): { outer: Range; inner: Range } | null {
  const here = text[at] === '@' ? readHere(text, at) : null;
  if (here) return here;
  const quote = quoteAt(text, at);
  if (quote === '') return null;
  const from = at + quote.length;
  const end = lineEnd(text, from);
  let closing = closingIn(text, quote, from, end);
  // One of the two marks may have been changed by a word processor.
  if (!closing && quote === '"') closing = closingIn(text, '“', from, end);
  if (!closing && isDouble(quote)) closing = closingIn(text, '"', from, end);
  if (!closing) {
    const next = match(/\r?\n/y, text, end).length;
    const wrapped = next > 0 ? closingIn(text, quote, end + next, lineEnd(text, end + next)) : null;
    if (wrapped && !isInner(text, wrapped[1])) closing = wrapped;
  }
  const inner: Range = [from, closing?.[0] ?? end];
  return { outer: [at, closing?.[1] ?? end], inner };
}

/** Replaces a masked password; masking a text twice changes nothing. */
export const MASK = '[masked]';

/** The length of the closing mark at this position that matches `quote`; 0 if there is none. */
export function closingLength(text: string, at: number, quote: string): number {
  const char = text[at] ?? '';
  if (char !== '' && isDouble(quote)) return DOUBLE.includes(char) ? 1 : 0;
  if (char !== '' && isSingle(quote)) return SINGLE.includes(char) ? 1 : 0;
  return quote !== '' && text.startsWith(quote, at) ? quote.length : 0;
}

/** The bare value at this position; null if there is none. */
export function readBare(text: string, at: number): Range | null {
  if (text.startsWith(MASK, at)) return [at, at + MASK.length];
  const found = match(BARE, text.slice(at, at + LONGEST_BARE), 0);
  return found === '' ? null : [at, at + found.length];
}

/** Dashes of shells and word processors. */
export const DASH = '-\u2010-\u2015\u2212\ufe58\ufe63\uff0d';
const NEXT_OPTION = new RegExp(String.raw`[${DASH}]{1,2}[a-z]|/[a-z]{1,32}[:=]`, 'iy');

/** Whether an option rather than a value begins here. */
export const isOption = (text: string, at: number): boolean => match(NEXT_OPTION, text, at) !== '';

/** `[string]"…"`, `[string[]]("…")` */
const CAST = /\[(?!masked\])[a-z][a-z0-9.]*(?:\[\])?\](?=\s*["'(@])/iy;
const LIST = /@?\(|\$\(|@\{|\[(?=\s*(?:["'\d]|\[masked\]))/y;
const CLOSING: Record<string, string> = { '(': ')', '[': ']', '{': '}' };
/** A key of a table or of JSON: not another value of the list. */
const KEY = /[ \t]*(?::|=>?)/y;

/**
 * Reads the value or list at this position.
 * @param isLoose whether a value may be unquoted
 */
export function readValues(text: string, at: number, isLoose: boolean): Reading | null {
  let here = at + match(CAST, text, at).length;
  if (here > at) here = skipBlanks(text, here);
  const list = match(LIST, text, here);
  if (list !== '') return readList(text, here, here + list.length, CLOSING[list.at(-1) ?? ''] ?? ')');
  const first = readOne(text, here, isLoose);
  return first && readFurther(text, first);
}

function readOne(text: string, at: number, isLoose: boolean): Reading | null {
  const quoted = readQuoted(text, at);
  if (quoted) return { ranges: [quoted.outer], end: quoted.outer[1] };
  const bare = isLoose ? readBare(text, at) : null;
  if (!bare) return null;
  const [start, end] = bare;
  // Without the comma before the next value: `a, b`.
  return { ranges: [[start, text[end - 1] === ',' && end - start > 1 ? end - 1 : end]], end };
}

/** Further values joined to the first by a comma or plus: `"a","b"`, `a, b`, `"a" + "b"`. */
function readFurther(text: string, first: Reading): Reading {
  const ranges = [...first.ranges];
  let { end } = first;
  const limit = end + LONGEST_LIST;
  for (;;) {
    const endsInComma = text[end - 1] === ',';
    let next = skipBlanks(text, end);
    if (!endsInComma) {
      if (text[next] !== ',' && text[next] !== '+') break;
      next += 1;
    }
    next = skipSpace(text, next);
    if (next > limit || isOption(text, next)) break;
    const one = readOne(text, next, endsInComma);
    if (!one || match(KEY, text, one.end) !== '') break;
    ranges.push(...one.ranges);
    end = one.end;
  }
  return { ranges, end };
}

/** All quoted texts in a list, and bare items between commas; a command in brackets is handled by its own rules. */
function readList(text: string, opened: number, from: number, closing: string): Reading {
  const ranges: Range[] = [];
  const limit = Math.min(text.length, opened + LONGEST_LIST);
  let at = from;
  let depth = 1;
  let isItem = true;
  while (at < limit) {
    const char = text[at] ?? '';
    const quoted = readQuoted(text, at);
    if (text.startsWith(MASK, at)) {
      ranges.push([at, at + MASK.length]);
      at += MASK.length;
    } else if (isOption(text, at) && /[\r\n][ \t]*$/.test(text.slice(Math.max(from, at - 32), at))) {
      // The list was never closed, and a command begins on the next line.
      break;
    } else if (quoted) {
      ranges.push(quoted.outer);
      at = quoted.outer[1];
      isItem = false;
    } else if (char === closing) {
      at += 1;
      depth -= 1;
      if (depth === 0) break;
    } else if (/[([{]/.test(char)) {
      depth += closing === CLOSING[char] ? 1 : 0;
      at += 1;
    } else if (/[\s,;@$]/.test(char)) {
      if (/[,;\n]/.test(char)) isItem = true;
      at += 1;
    } else {
      const word = match(/[^\s,;()[\]{}"'“”]+/y, text, at);
      const end = at + Math.max(1, word.length);
      if (isItem && word !== '' && /^[ \t]*[,)\]\r\n]/.test(text.slice(end, end + 64))) ranges.push([at, end]);
      isItem = false;
      at = end;
    }
  }
  return { ranges, end: at };
}
