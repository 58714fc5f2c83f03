// Texts in Base64, such as PowerShell's -EncodedCommand: masked whole where a password stands in what they say.
import type { Range } from './values.ts';

/** Perhaps broken into lines, as certutil and consoles do. */
const TOKEN =
  /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/]{16,}(?:\r?\n[A-Za-z0-9+/]{16,}){0,4096}(?:\r?\n[A-Za-z0-9+/]{1,15})?={0,2}/g;
const PRINTED = /^[\t\n\r\u0020-\u007e\u00a0-\ufffc]*$/;

/** @param hasSecret whether a text that was encoded has something to mask */
export function findEncoded(text: string, hasSecret: (decoded: string) => boolean): Range[] {
  const ranges: Range[] = [];
  for (const { index, 0: token } of text.matchAll(TOKEN)) {
    const [firstLine = token] = token.split(/\r?\n/, 1);
    const found = [token, firstLine].find((part) => readTexts(part).some(hasSecret));
    if (found !== undefined) ranges.push([index, index + found.length]);
  }
  return ranges;
}

/** What it may say: as Windows encodes text, or as all others do. */
function readTexts(token: string): string[] {
  const bytes = Buffer.from(token, 'base64');
  return [bytes.toString('utf16le'), bytes.toString('utf8')].filter((decoded) => PRINTED.test(decoded));
}
