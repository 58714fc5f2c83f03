// Base64 texts, such as PowerShell's -EncodedCommand: masked entirely if the decoded text contains a password.
import type { Range } from './values.ts';

const SHORTEST = 16;
/** May be broken into lines, as by certutil and consoles. */
const TOKEN =
  /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/]{16,}(?:\r?\n[A-Za-z0-9+/]{16,}){0,4096}(?:\r?\n[A-Za-z0-9+/]{1,15})?={0,2}/g;
const PRINTED = /^[\t\n\r\u0020-\u007e\u00a0-\ufffc]*$/;

/** @param hasSecret whether a decoded text contains anything to mask */
export function findEncoded(text: string, hasSecret: (decoded: string) => boolean): Range[] {
  if (!hasLongWord(text)) return [];
  const ranges: Range[] = [];
  for (const { index, 0: token } of text.matchAll(TOKEN)) {
    const [firstLine = token] = token.split(/\r?\n/, 1);
    const found = [...new Set([token, firstLine])].find((part) => readTexts(part).some(hasSecret));
    if (found !== undefined) ranges.push([index, index + found.length]);
  }
  return ranges;
}

/** Whether there are this many Base64 characters in a row. Checks only every n-th position, as any such run covers one. */
function hasLongWord(text: string): boolean {
  for (let at = SHORTEST - 1; at < text.length; at += SHORTEST) {
    let from = at;
    while (from > at - SHORTEST && isBase64(text.charCodeAt(from))) from -= 1;
    let to = at;
    while (to < from + SHORTEST && isBase64(text.charCodeAt(to + 1))) to += 1;
    if (to - from >= SHORTEST) return true;
  }
  return false;
}

/** A–Z, a–z, 0–9, + and / by character code; false for NaN, past the end of the text. */
const isBase64 = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 47 && code <= 57) || code === 43;

/** Possible decodings: UTF-16 as Windows encodes text, or UTF-8. */
function readTexts(token: string): string[] {
  const bytes = Buffer.from(token, 'base64');
  return [bytes.toString('utf16le'), bytes.toString('utf8')].filter((decoded) => PRINTED.test(decoded));
}
