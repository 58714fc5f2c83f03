// Whether a text that a service stored is the one it was sent, allowing for what services are known to do to texts.

type Text = string | null | undefined;

/** A shorter part may agree by chance. Characters, white space not counted. */
const LONG_PART = 32;
/** What stands where something was left out; “…” is three dots here. */
const OMISSION = /\.{3}|truncated|shortened|omitted/i;
const LONGEST_OMISSION = 40;

/**
 * `same`: nothing but line ends, white space at either end, control characters, broken characters and the way accents are
 * put together differs, and an absent text is stored as an empty one. `part`: what is stored is a long part of what was
 * sent, cut off at either end or left out in the middle with a word about it; in a store that has no room for other letters
 * also with question marks in their place. Else `different`.
 */
export function compareTexts(sent: Text, stored: Text): 'same' | 'part' | 'different' {
  if (toPlain(sent) === toPlain(stored)) return 'same';
  const [whole, part] = [toInk(sent), toInk(stored)];
  if (isLongPart(whole, part)) return 'part';
  const lostLetters = /^[\x20-\x7e]*$/.test(part) && !/^[\x20-\x7e]*$/.test(whole);
  return lostLetters && isLongPart(toAscii(whole), toAscii(part)) ? 'part' : 'different';
}

/** Graph compares names and addresses without regard to letter case. */
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

/** What is left of a text without white space and whatever cannot be seen. */
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
