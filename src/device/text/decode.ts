// Decodes what a tool printed: by its byte order mark, else by the code page the caller knows, else as UTF-8.
import { findDecoder } from './code-pages.ts';

/** The later ones begin with none of the earlier. */
const BYTE_ORDER_MARKS: [mark: number[], codePage: number][] = [
  [[0xef, 0xbb, 0xbf], 65001],
  [[0xff, 0xfe], 1200],
  [[0xfe, 0xff], 1201],
];

/**
 * What cannot be decoded becomes U+FFFD; nothing is refused, since a tool's last words are worth having in any form.
 * @param codePage as Windows numbers them
 * @throws RangeError if the code page is not known here
 */
export function decode(bytes: Uint8Array, codePage = 65001): string {
  const decoder = findDecoder(findMarked(bytes) ?? codePage);
  if (!decoder) throw new RangeError(`there is no decoder for the code page ${codePage}`);
  return decoder(bytes);
}

const findMarked = (bytes: Uint8Array): number | undefined =>
  BYTE_ORDER_MARKS.find(([mark]) => mark.every((byte, index) => bytes[index] === byte))?.[1];
