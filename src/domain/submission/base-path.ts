// The public base path below which all routes are served, such as /bios.

/** Plain segments only, as it becomes part of URLs and of a page. */
const BASE_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)*\/?$/;
const MAX_LENGTH = 256;

/** @returns the path without its trailing slash, so that the root is the empty string; null if it is invalid */
export function parseBasePath(text: string): string | null {
  if (text === '' || text.length > MAX_LENGTH || !BASE_PATH.test(text)) return null;
  return text.replace(/\/$/, '');
}
