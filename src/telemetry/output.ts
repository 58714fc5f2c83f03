// Standard output and error that never block: what does not fit into a bounded buffer is dropped and counted.
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { ATOMIC_BYTES } from './printed-line.ts';

export type Outlet = {
  /** Buffers a line, including its line feed. One that `matters` is kept even when the buffer is full. */
  write: (line: string, matters?: boolean) => void;
  /** Writes what is buffered, waiting for the reader for at most a second in total. */
  flushSync: () => void;
  /** Sets the listener for lines that do not fit. */
  report: (events: OutletEvents) => void;
};

export type OutletEvents = {
  /** A line was dropped. */
  dropped: () => void;
  /** Lines are written again, after this many were dropped. */
  resumed: (lines: number) => void;
};

export type OutletLimits = { bufferBytes: number; lastWordsMs: number };

const LIMITS: OutletLimits = { bufferBytes: 1_048_576, lastWordsMs: 1000 };
/** Pause before a full pipe is tried again. */
const FULL_AGAIN_MS = 10;
/** Pause before a pipe without a reader or a full disk is tried again. */
const BROKEN_AGAIN_MS = 1000;
const ASK_AT_THE_END_EVERY_MS = 5;
/** Lines that were written are let go of after this many: each time costs a copy of those that wait. */
const RELEASE_AFTER_LINES = 1024;

/**
 * Lines are buffered until the current turn of the event loop ends, so that they are written together. What cannot be
 * written stays buffered and is retried: a missing reader, a full disk or a closed pipe is not an error here.
 */
export function openOutlet(fd: 1 | 2, limits: Partial<OutletLimits> = {}): Outlet {
  const { bufferBytes, lastWordsMs } = { ...LIMITS, ...limits };
  let events: OutletEvents | null = null;
  let target: number | null = null;
  let lines: Buffer[] = [];
  let taken = 0;
  let bytes = 0;
  let rest: Buffer | null = null;
  let dropped = 0;
  let isDropping = false;
  let isScheduled = false;
  let lastWordsLeftMs = lastWordsMs;

  /** Joins lines into one atomic write; a longer line is written alone. */
  function next(): Buffer | null {
    const together: Buffer[] = [];
    let length = 0;
    for (let line = lines[taken]; line && (length === 0 || length + line.length <= ATOMIC_BYTES); line = lines[taken]) {
      together.push(line);
      length += line.length;
      taken += 1;
    }
    // A reader that is slow but never stops may keep the buffer from ever being empty.
    if (taken === lines.length || taken >= RELEASE_AFTER_LINES) {
      lines = lines.slice(taken);
      taken = 0;
    }
    return length === 0 ? null : Buffer.concat(together, length);
  }

  /** @returns the error code that stopped it early, or null */
  function drain(): string | null {
    target ??= openNonBlocking(fd);
    for (rest ??= next(); rest; rest = rest.length > 0 ? rest : next()) {
      try {
        const written = writeSync(target, rest);
        bytes -= written;
        rest = rest.subarray(written);
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? 'unknown';
      }
      if (isDropping && bytes <= bufferBytes / 2) resume();
    }
    return null;
  }

  function resume(): void {
    isDropping = false;
    const since = dropped;
    dropped = 0;
    events?.resumed(since);
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      const trouble = drain();
      if (trouble === null) isScheduled = false;
      else setTimeout(retry, trouble === 'EAGAIN' ? FULL_AGAIN_MS : BROKEN_AGAIN_MS).unref();
    });
  }

  function retry(): void {
    isScheduled = false;
    schedule();
  }

  function write(text: string, matters = false): void {
    const length = Buffer.byteLength(text);
    if (bytes + length > bufferBytes && !isDropping) drain();
    isDropping ||= bytes + length > bufferBytes;
    if (isDropping && !matters) {
      dropped += 1;
      events?.dropped();
      return;
    }
    lines.push(Buffer.from(text));
    bytes += length;
    schedule();
  }

  function flushSync(): void {
    for (;;) {
      const trouble = drain();
      if (trouble !== 'EAGAIN' || lastWordsLeftMs <= 0) return;
      lastWordsLeftMs -= ASK_AT_THE_END_EVERY_MS;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ASK_AT_THE_END_EVERY_MS);
    }
  }

  process.on('exit', () => {
    if (isDropping) resume();
    flushSync();
  });
  return { write, flushSync, report: (listener) => void (events = listener) };
}

/** Opens both, and replaces `process.stdout` and `process.stderr` for everything that writes to them directly. */
export function takeOverOutput(): { stdout: Outlet; stderr: Outlet } {
  const outlets = { stdout: openOutlet(1), stderr: openOutlet(2) };
  for (const [name, outlet] of Object.entries(outlets)) {
    Object.defineProperty(process, name, { value: toStream(outlet), configurable: true, enumerable: true });
  }
  return outlets;
}

function toStream(outlet: Outlet): Writable {
  return new Writable({
    decodeStrings: false,
    write: (chunk: string | Uint8Array, _encoding, done) => {
      outlet.write(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
      done();
    },
  });
}

/** Opens a standard stream so that writes fail with EAGAIN instead of blocking. */
function openNonBlocking(fd: 1 | 2): number {
  const kind = fstatSync(fd);
  try {
    // libuv puts a pipe or socket into non-blocking mode; Node restores it when the process exits.
    if (kind.isFIFO() || kind.isSocket()) new Socket({ fd, readable: false, writable: true }).unref();
    // A terminal is shared with the shell, whose own descriptor must not change.
    else if (kind.isCharacterDevice()) {
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    }
  } catch {
    // Not supported on this platform: then writes block, as usual.
  }
  return fd;
}
