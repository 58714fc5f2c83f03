// Alternative views of a text: without invisible characters, with escapes decoded, with console line wraps joined.
import type { Range } from './values.ts';

/** Where each character of a view begins and ends in the original text. */
type Offsets = { starts: Int32Array; ends: Int32Array };
/** Few views contain anything to mask, so offsets are computed when they are asked for; the original text has none. */
type View = { text: string; offsets: (() => Offsets) | null };

/** Terminal sequences for colours, titles and links. */
const SEQUENCE = String.raw`(?:\u001b\[|\u009b)[0-?]{0,32}[ -/]{0,4}[@-~]|\u001b[\]PX^_][^\u0007\u001b\u009c\r\n]{0,256}(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]{0,2}[0-~]?`;
/** Control characters other than tab and line ends, and format characters that are not displayed. */
const UNSEEN = String.raw`[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]`;
const INVISIBLE = new RegExp(`${SEQUENCE}|${UNSEEN}`, 'g');
/** Unusual line ends, and separators between words. */
const SPACING = new RegExp(`${SEQUENCE}|${UNSEEN}|[\\u000b\\u000c\\u0085\\u2028\\u2029]|\\r(?!\\n)`, 'g');

/** Escapes of JSON, URLs, HTML and CLIXML, and the escape characters of shells. */
const ESCAPE =
  /_x000D__x000A_<\/S>\s{0,8}<S S="\w{1,16}">|_x([0-9a-f]{4})_|\\{1,8}u([0-9a-f]{4})|\\{1,8}x([0-9a-f]{2})|%([2-7][0-9a-f])|&#(\d{2,4});|&#x([0-9a-f]{2,4});|&(quot|apos|lt|gt|amp|equals|colon|nbsp);|[`^](?=[a-z0-9=:_-])/gi;
const NAMED: Record<string, string> = {
  ...{ quot: '"', apos: "'", lt: '<', gt: '>', amp: '&', equals: '=', colon: ':', nbsp: ' ' },
};

/** Console widths, also without the last column. */
const WIDTHS = [79, 80, 119, 120];

function decode(found: RegExpMatchArray): string {
  const [whole, clixml, json, hex, url, decimal, html, entity] = found;
  if (entity !== undefined) return NAMED[entity.toLowerCase()] ?? ' ';
  if (decimal !== undefined) return String.fromCharCode(Number(decimal));
  const code = clixml ?? json ?? hex ?? url ?? html;
  if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
  return whole.startsWith('_x') ? '\n' : '';
}

const toBlank = ({ 0: whole }: RegExpMatchArray): string => (/^[\r\u0085\u2028\u2029]/.test(whole) ? '\n' : ' ');

/** What INVISIBLE and SPACING begin with, and ESCAPE: most texts contain none of it. */
const UNUSUAL = new RegExp(String.raw`[\u001b\u009b]|${UNSEEN}|[\u000b\u000c\u0085\u2028\u2029]|\r(?!\n)`);
const ESCAPED = /_x|\\[\\ux]|%[2-7]|&[#a-z]|[`^][a-z0-9=:_-]/i;

/** All views that differ from the text itself; for most texts there are none. */
function createViews(text: string): View[] {
  const original = toView(text);
  const isUnusual = UNUSUAL.test(text);
  const plain = isUnusual ? replaceAll(original, INVISIBLE, () => '') : null;
  const spaced = isUnusual ? replaceAll(original, SPACING, toBlank) : null;
  const readable = plain ?? original;
  const decoded = ESCAPED.test(readable.text) ? replaceAll(readable, ESCAPE, decode) : null;
  const joined = joinWrapped(decoded ?? readable);
  return [plain, spaced, decoded, joined].filter((view) => view !== null);
}

const toView = (text: string): View => ({ text, offsets: null });

/** Null if nothing is replaced. A view of the original text needs no offsets. */
function replaceAll(of: View, pattern: RegExp, replace: (found: RegExpMatchArray) => string): View | null {
  const cuts: Cut[] = [];
  for (const found of of.text.matchAll(pattern)) {
    cuts.push({ start: found.index, end: found.index + found[0].length, by: replace(found) });
  }
  return cuts.length === 0 ? null : cutView(of, cuts);
}

type Cut = { start: number; end: number; by: string };

function cutView(of: View, cuts: Cut[]): View {
  const parts: string[] = [];
  let done = 0;
  for (const { start, end, by } of cuts) {
    parts.push(of.text.slice(done, start), by);
    done = end;
  }
  parts.push(of.text.slice(done));
  const text = parts.join('');
  let known: Offsets | undefined;
  return { text, offsets: () => (known ??= computeOffsets(of, cuts, text.length)) };
}

function computeOffsets(of: View, cuts: Cut[], length: number): Offsets {
  const within = of.offsets?.();
  const startOf = (at: number) => (within ? (within.starts[at] ?? 0) : at);
  const endOf = (at: number) => (within ? (within.ends[at] ?? 0) : at + 1);
  const [starts, ends] = [new Int32Array(length), new Int32Array(length)];
  let here = 0;
  let done = 0;
  const keep = (to: number) => {
    for (let at = done; at < to; at += 1, here += 1) [starts[here], ends[here]] = [startOf(at), endOf(at)];
  };
  for (const { start, end, by } of cuts) {
    keep(start);
    done = end;
    if (by === '') continue;
    [starts[here], ends[here]] = [startOf(start), endOf(end - 1)];
    here += 1;
  }
  keep(of.text.length);
  return { starts, ends };
}

/** Consoles break full lines even in the middle of a word. */
function joinWrapped(of: View): View | null {
  const cuts: Cut[] = [];
  let begun = 0;
  for (let at = of.text.indexOf('\n'); at >= 0; at = of.text.indexOf('\n', begun)) {
    const end = of.text[at - 1] === '\r' ? at - 1 : at;
    if (WIDTHS.includes(end - begun) && isWord(of.text[end - 1]) && isWord(of.text[at + 1])) {
      cuts.push({ start: end, end: at + 1, by: '' });
    }
    begun = at + 1;
  }
  return cuts.length === 0 ? null : cutView(of, cuts);
}

const isWord = (char: string | undefined): boolean => char !== undefined && /\S/.test(char);

/** Searches the text and all its views; returns ranges of the original text. */
export function findInViews(text: string, find: (view: string) => Range[]): Range[] {
  const ranges = find(text);
  for (const view of createViews(text)) {
    for (const [start, end] of find(view.text)) {
      const offsets = end > start ? view.offsets?.() : undefined;
      if (offsets) ranges.push([offsets.starts[start] ?? 0, offsets.ends[end - 1] ?? 0]);
    }
  }
  return ranges;
}
