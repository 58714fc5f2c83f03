// Masks BIOS passwords, as vendor tools and scripts print them, before anything is stored.
import { findEncoded } from './encoded.ts';
import { findRepeated } from './repeated.ts';
import { findNamedSecrets, NAME_SIGN } from './secret-names.ts';
import { createSignTest } from './signs.ts';
import { findInViews } from './views.ts';
import { MASK, type Range } from './values.ts';
import { CALL_SIGN, findCallSecrets, findSecureStrings } from './vendor-calls.ts';
import { findToolSecrets, TOOL_SIGNS } from './vendor-tools.ts';

/**
 * Masks what looks like a BIOS password, on a command line, in a script's source or in a settings file, and leaves every
 * other character unchanged. docs/masking.md lists the forms with their sources.
 * @param text a run's output or error, of any length
 */
export function maskBiosPasswords(text: string): string {
  const said = findInViews(text, findSecrets);
  const found = [...said, ...findEncoded(text, hasSecret)];
  return found.length === 0 ? text : mask(text, [...found, ...findRepeated(text, said)]);
}

const FINDERS = [findNamedSecrets, findCallSecrets, findSecureStrings, findToolSecrets];
/** Most texts have none of these, and need not be searched for each form. */
const hasSign = createSignTest([NAME_SIGN, CALL_SIGN, ...TOOL_SIGNS]);
const findSecrets = (text: string): Range[] => (hasSign(text) ? FINDERS.flatMap((find) => find(text)) : []);
const hasSecret = (text: string): boolean => findInViews(text, findSecrets).some(([start, end]) => end > start);

/** The marker of an encoded password in HP's tools; the marker itself is not secret. */
const MARK = /^(["'“”]?)<(?:utf-16|kbd)\/>/i;

function withoutMark(text: string, [start, end]: Range): Range {
  const [mark = '', quote = ''] = MARK.exec(text.slice(start, Math.min(end, start + 12))) ?? [];
  if (mark === '') return [start, end];
  const from = start + mark.length;
  const to = quote !== '' && /["'“”]/.test(text.slice(end - 1, end)) ? end - 1 : end;
  // Empty text after the marker is joined to another text, or is no password.
  return to > from ? [from, to] : [start, start - 1];
}

/** Whether nothing but punctuation or a call surrounds something already masked. */
const isMasked = (part: string): boolean =>
  part.length > MASK.length &&
  part.includes(MASK) &&
  /^(?:[^\p{L}\p{N}]|\$[\w.]+\()*$/u.test(part.replaceAll(MASK, ''));

/** Replaces the ranges; overlapping ones get a single mask. */
function mask(text: string, ranges: Range[]): string {
  const sorted = ranges
    .map((range) => withoutMark(text, range))
    .filter(([start, end]) => end >= start && !isMasked(text.slice(start, Math.min(end, start + 4096))))
    .sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const parts: string[] = [];
  let done = 0;
  let last = -1;
  for (const [start, end] of sorted) {
    if (start >= done && start > last) parts.push(text.slice(done, start), MASK);
    done = Math.max(done, end);
    last = Math.max(last, start);
  }
  parts.push(text.slice(done));
  return parts.join('');
}
