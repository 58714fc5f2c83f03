// A log line as it is printed: with everything in it visible, and short enough to be written in one piece.
import { toVisible } from '../domain/operations/visible-text.ts';

/** PIPE_BUF: writes up to this length are atomic, so that lines of several writers do not mix. */
export const ATOMIC_BYTES = 4096;
/** What is tried in turn; a shorter text may be all that says what happened. */
const MOST_CHARACTERS = [1024, 512, 256] as const;

/**
 * @param json an object, without a line feed
 * @returns the line to print. If it is longer than what is written in one piece, the ends of its long texts are replaced by
 * `…`; it stays longer only if it consists of many short ones. Characters that reorder or hide text are escaped as JSON allows,
 * since logs are read on terminals
 */
export function toPrintedLine(json: string): string {
  let line = `${toVisible(json)}\n`;
  for (const most of MOST_CHARACTERS) {
    if (Buffer.byteLength(line) <= ATOMIC_BYTES) break;
    const shorten = (_name: string, value: unknown) =>
      typeof value === 'string' && value.length > most ? `${value.slice(0, most)}…` : value;
    line = `${toVisible(JSON.stringify(JSON.parse(json), shorten))}\n`;
  }
  return line;
}
