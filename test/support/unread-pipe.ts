// A real pipe to a reader that does not read until it is asked to, or closes the pipe.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { createReadStream, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type UnreadPipe = {
  /** For use as a process's standard output or error. */
  writeEnd: number;
  /** Writes until the pipe is full. */
  fill: () => void;
  /** Starts reading, a little at a time. @returns a function that gives all complete lines so far */
  read: () => () => string;
  /** Closes the read end. */
  closeReader: () => void;
  close: () => void;
};

export function openUnreadPipe(): UnreadPipe {
  const directory = mkdtempSync(join(tmpdir(), 'unread-'));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  // Non-blocking only for this end: each end is a separate open file.
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
      // Through a separate descriptor, since it blocks.
      const stream = createReadStream(path, { encoding: 'utf8', highWaterMark: 16_384 });
      stream.on('data', (chunk) => void (text += String(chunk)));
      return () => text.slice(0, text.lastIndexOf('\n') + 1);
    },
    closeReader: () => end(readEnd),
    close: () => {
      for (const fd of [...open]) end(fd);
      // A reader blocked before the first byte is woken when the last writer closes.
      if (isReading) closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
      rmSync(directory, { recursive: true });
    },
  };
}
