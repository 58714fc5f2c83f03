// The CLI's output: results on stdout, everything else on stderr; control characters are escaped.
import { toVisible } from '../domain/operations/visible-text.ts';
import { EXIT } from './exit.ts';

/** Cursor home, then everything below it gone: redraws without flicker. */
const REDRAW = '\u001B[H\u001B[J';
const CLEAR = '\u001B[2J';

let isUnread = false;
let whenUnread = (): void => process.exit();

/** Prints lines. Each stays one line, whatever it holds. */
export function print(...lines: string[]): void {
  if (!isUnread) process.stdout.write(toText(lines));
}

export function printJson(value: unknown, indent = 2): void {
  print(...JSON.stringify(value, null, indent).split('\n'));
}

export function complain(...lines: string[]): void {
  if (!isUnread) process.stderr.write(toText(lines));
}

/** On a terminal: these lines in the place of those before. */
export function redraw(lines: readonly string[], isFirst: boolean): void {
  if (!isUnread) process.stdout.write(`${isFirst ? CLEAR : ''}${REDRAW}${toText(lines)}`);
}

/** What a command does when nobody reads its output any more, instead of ending at once. */
export function onUnread(stop: () => void): void {
  whenUnread = stop;
}

/**
 * Ends quietly, as other tools do, when whoever read the output went away (`| head -1`): with the code a shell gives a tool
 * that SIGPIPE ended. Output that cannot be written for another reason is complained about.
 */
export function watchOutput(): void {
  const end = (code: number) => {
    if (isUnread) return;
    isUnread = true;
    process.on('exit', () => void (process.exitCode = code));
    whenUnread();
  };
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') complain(`standard output cannot be written: ${error.message}`);
    end(error.code === 'EPIPE' ? EXIT.unread : EXIT.output);
  });
  // A full disk that only takes no complaints changes nothing of what is done.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') end(EXIT.unread);
  });
}

const toText = (lines: readonly string[]) => lines.map((line) => `${toVisible(line)}\n`).join('');
