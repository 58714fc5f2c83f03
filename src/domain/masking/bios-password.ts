// BIOS passwords, as vendor tools and scripts echo them: masked before anything is stored.
import { findNamedSecrets } from './secret-names.ts';
import { MASK, type Range } from './values.ts';
import { findCallSecrets, findSecureStrings } from './vendor-calls.ts';
import { findToolSecrets } from './vendor-tools.ts';

/** Every form has one of these; most texts have none and need no closer look. */
const ANY_WORD =
  /pass|pwd|pw\b|kennwort|token|securestring|credential|encryptionkey|sechandle|setattribute|setbios|savebios|discardbios|defaultsettings|buildandsign|x509certificate2|\[501\]|[-/]p[=:]|<(?:utf-16|kbd)\/>|(?:ascii|scancode),|thinkbiosconfig/i;

/**
 * Masks what looks like a BIOS password – on a command line, in a script's source or in a file of settings – and leaves every
 * other character as it was. docs/masking.md lists the forms with their sources.
 * @param text a run's output or error, of any length
 */
export function maskBiosPasswords(text: string): string {
  if (!ANY_WORD.test(text)) return text;
  return mask(
    text,
    [findNamedSecrets, findCallSecrets, findSecureStrings, findToolSecrets].flatMap((find) => find(text)),
  );
}

/** How HP's tools mark an encoded password; the mark itself is no secret. */
const MARK = /^(["'“”]?)<(?:utf-16|kbd)\/>/i;

function withoutMark(text: string, [start, end]: Range): Range {
  const [mark = '', quote = ''] = MARK.exec(text.slice(start, Math.min(end, start + 12))) ?? [];
  if (mark === '') return [start, end];
  const from = start + mark.length;
  const to = end - quote.length;
  // An empty text behind the mark is joined to another one, or no password at all.
  return to > from ? [from, to] : [start, start - 1];
}

/** Replaces the ranges, those that overlap by one mask. */
function mask(text: string, ranges: Range[]): string {
  const sorted = ranges
    .map((range) => withoutMark(text, range))
    .filter(([start, end]) => end >= start)
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
