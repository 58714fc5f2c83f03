// Reads a file that a variable names (secret, certificate, key): size-limited, and never blocks.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** More than any chain of certificates has; what is longer is another file than was meant. */
const MOST_BYTES = 1_048_576;

/** Its message says what the file is, nothing of its path. */
export class NoSettingFile extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NoSettingFile';
  }
}

/**
 * A regular file's text. Such files are read again, so that a pipe – `/dev/stdin`, `/dev/fd/3`, a shell's `<(…)` – is none: it
 * could be read once. Pipes are opened without waiting for whoever writes to them.
 * @throws NoSettingFile, or what the system says
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
