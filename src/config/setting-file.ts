// Reads a file that a variable names (secret, certificate, key): size-limited, and never blocks.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** More than any certificate chain; a longer file must be the wrong one. */
const MOST_BYTES = 1_048_576;

/** The message says what kind of file it is, but nothing about its path. */
export class NoSettingFile extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NoSettingFile';
  }
}

/**
 * The text of a regular file. Such files are re-read, so a pipe (`/dev/stdin`, `/dev/fd/3`, a shell's `<(…)`) is refused:
 * it could be read only once. Pipes are opened without waiting for a writer.
 * @throws NoSettingFile, or the system's error
 */
export function readSettingFile(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const kind = fstatSync(file);
    if (kind.isDirectory()) throw new NoSettingFile('a directory');
    if (!kind.isFile()) throw new NoSettingFile('no regular file, and is read more than once');
    const bytes = Buffer.alloc(Math.min(kind.size, MOST_BYTES) + 4096);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null);
    }
    if (length > MOST_BYTES || kind.size > MOST_BYTES) throw new NoSettingFile('larger than 1 MiB');
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}
