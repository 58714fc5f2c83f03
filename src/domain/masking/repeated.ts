// Masks further occurrences of a password found elsewhere in the text, where nothing marks it: `InvalidArgument: (x:String)`.
import { looksMadeUp } from './made-up.ts';
import type { Range } from './values.ts';

const SHORTEST = 6;
/** Bounds the cost of the search. */
const MOST_PASSWORDS = 32;
const QUOTES = /^[\\`^]*["'“”„‘’]+|[\\`^]*["'“”„‘’;]+$/g;

export function findRepeated(text: string, ranges: readonly Range[]): Range[] {
  const passwords = new Set<string>();
  for (const [start, end] of ranges) {
    if (end - start < SHORTEST || end - start > 130) continue;
    const password = text.slice(start, end).replaceAll(QUOTES, '');
    if (password.length >= SHORTEST && looksMadeUp(password)) passwords.add(password);
    if (passwords.size === MOST_PASSWORDS) break;
  }
  return [...passwords].flatMap((password) => findAll(text, password));
}

function findAll(text: string, password: string): Range[] {
  const ranges: Range[] = [];
  for (let at = text.indexOf(password); at >= 0; at = text.indexOf(password, at + password.length)) {
    const isPart = isLetter(text[at - 1]) || isLetter(text[at + password.length]);
    if (!isPart) ranges.push([at, at + password.length]);
  }
  return ranges;
}

const isLetter = (char: string | undefined): boolean => char !== undefined && /[\p{L}\p{N}]/u.test(char);
