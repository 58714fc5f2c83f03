// Whether a stored text matches the one sent, allowing for known ways in which services alter texts.

type Text = string | null | undefined;

/** Shorter parts may match by chance. In characters, without white space. */
const LONG_PART = 32;
/** Marker left where text was omitted; “…” has been normalised to three dots. */
const OMISSION = /\.{3}|truncated|shortened|omitted/i;
const LONGEST_OMISSION = 40;

/**
 * `same`: equal apart from line endings, surrounding white space, control characters, broken characters and Unicode
 * composition; an absent text equals an empty one. `part`: the stored text is a long part of the one sent, cut off at
 * either end or shortened in the middle with a marker; in a store limited to ASCII, question marks may replace other
 * letters. Otherwise `different`.
 */
export function compareTexts(sent: Text, stored: Text): 'same' | 'part' | 'different' {
  if (toPlain(sent) === toPlain(stored)) return 'same';
  const [whole, part] = [toInk(sent), toInk(stored)];
  if (isLongPart(whole, part)) return 'part';
  const lostLetters = /^[\x20-\x7e]*$/.test(part) && !/^[\x20-\x7e]*$/.test(whole);
  return lostLetters && isLongPart(toAscii(whole), toAscii(part)) ? 'part' : 'different';
}

/** Graph compares names and addresses case-insensitively. */
export function sameName(a: Text, b: Text): boolean {
  return a === b || toPlain(a).toUpperCase() === toPlain(b).toUpperCase();
}

function toPlain(text: Text): string {
  return (text ?? '')
    .replaceAll(/\r\n?|[\u0085\u2028\u2029]/g, '\n')
    .replaceAll(/(?![\n\t])\p{Cc}|[\u200b\ufeff\ufffd]|\p{Surrogate}/gu, '')
    .normalize('NFC')
    .trim();
}

/** The visible characters of a text, without white space. */
function toInk(text: Text): string {
  return (text ?? '').normalize('NFKC').replaceAll(/[\s\ufffd\p{C}]/gu, '');
}

function toAscii(ink: string): string {
  return ink.replaceAll(/[^\x21-\x7e]|\?/g, '');
}

function isLongPart(whole: string, part: string): boolean {
  if (part.length < LONG_PART) return false;
  if (whole.includes(part)) return true;
  if (part.length >= whole.length) return false;
  const head = commonLength(whole, part, (text, index) => text[index]);
  const tail = commonLength(whole.slice(head), part.slice(head), (text, index) => text.at(-1 - index));
  const omission = part.slice(head, part.length - tail);
  return head + tail >= LONG_PART && omission.length <= LONGEST_OMISSION && OMISSION.test(omission);
}

function commonLength(a: string, b: string, at: (text: string, index: number) => string | undefined): number {
  let length = 0;
  while (length < a.length && length < b.length && at(a, length) === at(b, length)) length += 1;
  return length;
}
