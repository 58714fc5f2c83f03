// A real pipe between a process and a reader that does not read: until it is told to, or closes it.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { createReadStream, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type UnreadPipe = {
  /** What a process is given as its standard output or error. */
  writeEnd: number;
  /** Writes until nothing more goes in. */
  fill: () => void;
  /** Begins to read, a little at a time. @returns all whole lines there were so far */
  read: () => () => string;
  /** Nobody will ever read. */
  closeReader: () => void;
  close: () => void;
};

export function openUnreadPipe(): UnreadPipe {
  const directory = mkdtempSync(join(tmpdir(), 'unread-'));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  // Non-blocking here alone: an open file of its own for each end.
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  let isReading = false;
  const open = new Set([readEnd, writeEnd, filler]);
  const end = (fd: number) => {
    if (open.delete(fd)) closeSync(fd);
  };
  return {
    writeEnd,
    fill: () => {
      try {
        for (;;) writeSync(filler, `${'x'.repeat(1023)}\n`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      }
    },
    read: () => {
      isReading = true;
      let text = '';
      // Through a door of its own, since it waits.
      const stream = createReadStream(path, { encoding: 'utf8', highWaterMark: 16_384 });
      stream.on('data', (chunk) => void (text += String(chunk)));
      return () => text.slice(0, text.lastIndexOf('\n') + 1);
    },
    closeReader: () => end(readEnd),
    close: () => {
      for (const fd of [...open]) end(fd);
      // A reader that waits for the first byte is woken by the end of the last writer.
      if (isReading) closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
      rmSync(directory, { recursive: true });
    },
  };
}
