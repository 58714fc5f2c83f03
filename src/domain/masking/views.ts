// Alternative views of a text: without invisible characters, with escapes decoded, with console line wraps joined.
import type { Range } from './values.ts';

/** A view, and where each of its characters begins and ends in the original text. */
type View = { text: string; starts: Int32Array; ends: Int32Array };

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

/** What INVISIBLE, SPACING and ESCAPE begin with; most texts contain none of it. */
const ODD = new RegExp(String.raw`[\u001b\u009b]|${UNSEEN}|[\u000b\u000c\u0085\u2028\u2029%&\\\x60^]|_x|\r(?!\n)`, 'i');

/** All views that differ from the text itself; for most texts there are none. */
function createViews(text: string): View[] {
  if (!ODD.test(text)) return [joinWrapped(toView(text))].filter((view) => view !== null);
  const plain = replaceAll(toView(text), INVISIBLE, () => '');
  const spaced = replaceAll(toView(text), SPACING, toBlank);
  const decoded = replaceAll(plain ?? toView(text), ESCAPE, decode);
  const views = [plain, spaced, decoded].filter((view) => view !== null);
  const joined = joinWrapped(decoded ?? plain ?? toView(text));
  return joined ? [...views, joined] : views;
}

const toView = (text: string): View => ({ text, starts: new Int32Array(0), ends: new Int32Array(0) });

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
  const isText = of.starts.length === 0;
  const startOf = (at: number) => (isText ? at : (of.starts[at] ?? 0));
  const endOf = (at: number) => (isText ? at + 1 : (of.ends[at] ?? 0));
  const starts = new Int32Array(of.text.length);
  const ends = new Int32Array(of.text.length);
  const parts: string[] = [];
  let length = 0;
  let done = 0;
  const keep = (to: number) => {
    parts.push(of.text.slice(done, to));
    for (let at = done; at < to; at += 1, length += 1) [starts[length], ends[length]] = [startOf(at), endOf(at)];
  };
  for (const { start, end, by } of cuts) {
    keep(start);
    done = end;
    if (by === '') continue;
    parts.push(by);
    [starts[length], ends[length]] = [startOf(start), endOf(end - 1)];
    length += 1;
  }
  keep(of.text.length);
  return { text: parts.join(''), starts, ends };
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
      if (end > start) ranges.push([view.starts[start] ?? 0, view.ends[end - 1] ?? 0]);
    }
  }
  return ranges;
}
