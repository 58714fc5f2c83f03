// The CLI's output: results on stdout, everything else on stderr; control characters are escaped.
import { toVisible } from '../domain/operations/visible-text.ts';
import { EXIT } from './exit.ts';

/** Moves the cursor home and clears below, which redraws without flicker. */
const REDRAW = '\u001B[H\u001B[J';
const CLEAR = '\u001B[2J';

let isUnread = false;
let whenUnread = (): void => process.exit();

/** Prints lines, each as a single line whatever it contains. */
export function print(...lines: string[]): void {
  if (!isUnread) process.stdout.write(toText(lines));
}

export function printJson(value: unknown, indent = 2): void {
  print(...JSON.stringify(value, null, indent).split('\n'));
}

export function printError(...lines: string[]): void {
  if (!isUnread) process.stderr.write(toText(lines));
}

/** Replaces the previous lines on a terminal. */
export function redraw(lines: readonly string[], isFirst: boolean): void {
  if (!isUnread) process.stdout.write(`${isFirst ? CLEAR : ''}${REDRAW}${toText(lines)}`);
}

/** Sets what a command does when its output is no longer read, instead of exiting at once. */
export function onUnread(stop: () => void): void {
  whenUnread = stop;
}

/**
 * Exits quietly, like other tools, if the reader of the output went away (`| head -1`), with the code a shell gives a tool
 * ended by SIGPIPE. Any other write error is reported.
 */
export function watchOutput(): void {
  const end = (code: number) => {
    if (isUnread) return;
    isUnread = true;
    process.on('exit', () => void (process.exitCode = code));
    whenUnread();
  };
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') printError(`standard output cannot be written: ${error.message}`);
    end(error.code === 'EPIPE' ? EXIT.unread : EXIT.output);
  });
  // If only stderr cannot be written, as on a full disk, the command continues.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') end(EXIT.unread);
  });
}

const toText = (lines: readonly string[]) => lines.map((line) => `${toVisible(line)}\n`).join('');
