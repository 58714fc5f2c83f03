// The path that all routes may lie below for the outside, such as /bios.

/** Plain segments only: it becomes part of addresses, and of a page. */
const BASE_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)*\/?$/;
const MAX_LENGTH = 256;

/** @returns it without a slash at its end, so that nothing stands for the root; null where it is none */
export function parseBasePath(text: string): string | null {
  if (text === '' || text.length > MAX_LENGTH || !BASE_PATH.test(text)) return null;
  return text.replace(/\/$/, '');
}
