// Base64 texts, such as PowerShell's -EncodedCommand: masked entirely if the decoded text contains a password.
import type { Range } from './values.ts';

const SHORTEST = 16;
/** At the start of a run. May be broken into lines, as by certutil and consoles. */
const TOKEN =
  /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/]{16,}(?:\r?\n[A-Za-z0-9+/]{16,}){0,4096}(?:\r?\n[A-Za-z0-9+/]{1,15})?={0,2}/y;
const PRINTED = /^[\t\n\r\u0020-\u007e\u00a0-\ufffc]*$/;

/** @param hasSecret whether a decoded text contains anything to mask */
export function findEncoded(text: string, hasSecret: (decoded: string) => boolean): Range[] {
  const ranges: Range[] = [];
  for (let run = findRun(text, 0); run; run = findRun(text, run.end)) {
    TOKEN.lastIndex = run.start;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) continue;
    run.end = run.start + token.length;
    const [firstLine = token] = token.split(/\r?\n/, 1);
    const found = [...new Set([token, firstLine])].find((part) => readTexts(part).some(hasSecret));
    if (found !== undefined) ranges.push([run.start, run.start + found.length]);
  }
  return ranges;
}

/** The next run of this many Base64 characters. Looks only at every n-th position, as any such run covers one. */
function findRun(text: string, from: number): { start: number; end: number } | null {
  for (let at = from + SHORTEST - 1; at < text.length; at += SHORTEST) {
    let start = at;
    while (start >= from && isBase64(text.charCodeAt(start))) start -= 1;
    if (start === at) continue;
    let end = at + 1;
    while (isBase64(text.charCodeAt(end))) end += 1;
    if (end - start - 1 >= SHORTEST) return { start: start + 1, end };
    at = end;
  }
  return null;
}

/** A–Z, a–z, 0–9, + and / by character code; false for NaN, past the end of the text. */
const isBase64 = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 47 && code <= 57) || code === 43;

/** Possible decodings: UTF-16 as Windows encodes text, where it has a zero beside every Latin letter, or UTF-8. */
function readTexts(token: string): string[] {
  const bytes = Buffer.from(token, 'base64');
  const decoded = [...(bytes.includes(0) ? [bytes.toString('utf16le')] : []), bytes.toString('utf8')];
  return decoded.filter((text) => PRINTED.test(text));
}
