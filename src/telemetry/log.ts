// The logger: JSON lines on stdout, and what it must never print.
import { levels, pino, symbols, type Logger } from 'pino';
import { writeInstant } from '../domain/submission/instant.ts';
import { toVisible } from '../domain/operations/visible-text.ts';
import type { LogLevel } from '../config/environment.ts';
import { openOutlet, type Outlet } from './output.ts';

export type { Logger };

/** Members that hold secrets or what a device wrote; whoever logs them by mistake logs `[redacted]`. */
const NEVER: ReadonlySet<string> = new Set([
  'authorization',
  'Authorization',
  'token',
  'secret',
  'key',
  'output',
  'command',
  'upn',
  'signature',
]);
const FATAL = levels.values['fatal'] ?? Infinity;
const REDACTED = '[redacted]';
/** So many levels of a line are looked at; nobody writes deeper ones. */
const LEVELS = 3;

/**
 * Makes the logger of a process.
 * @param process which of the processes writes, `api` or `worker`
 */
export function createLog(process: string, level: LogLevel, outlet = openOutlet(1)): Logger {
  return pino(
    {
      level,
      base: { process },
      timestamp: () => `,"time":"${writeInstant(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }), log: (line) => redact(line, LEVELS) },
      errorKey: 'error',
      serializers: { error: describeError, err: describeError },
    },
    toDestination(outlet),
  );
}

/**
 * Lets pino write to an outlet. What turns text around or hides part of it is spelt out in JSON's own escapes, since a log
 * is read on terminals. The last words of a process go out before anything else is done, and are kept where others are not.
 */
function toDestination({ write, flushSync }: Outlet) {
  const destination = {
    [symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write: (line: string) => write(`${toVisible(line.slice(0, -1))}\n`, destination.lastLevel >= FATAL),
    flushSync,
  };
  return destination;
}

/**
 * Copies only what has something to redact. pino's own redaction clones a line for each text in it, which allocates
 * nearly as much as all the rest of accepting a run result.
 */
function redact(members: Record<string, unknown>, levels: number): Record<string, unknown> {
  let redacted = members;
  for (const name of Object.keys(members)) {
    const value = members[name];
    const kept = NEVER.has(name) ? REDACTED : levels > 1 && isPlain(value) ? redact(value, levels - 1) : value;
    if (kept === value) continue;
    if (redacted === members) redacted = { ...members };
    redacted[name] = kept;
  }
  return redacted;
}

/** Errors are told by what describes them. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Error);
}

/**
 * Lets SIGUSR2 change how much is logged: everything from `debug` on, and the configured level again. Where that is
 * `debug` or `trace` already, `info` takes turns with it. The log says each time which level is in force.
 */
export function switchLevelOnSignal(log: Logger, configured: LogLevel): void {
  const other = configured === 'debug' || configured === 'trace' ? 'info' : 'debug';
  process.on('SIGUSR2', () => {
    const next = log.level === configured ? other : configured;
    const tell = () => log.info({ logLevel: next }, 'log level in force');
    // Told at the wordier of the two, or it might not be seen.
    if (next !== 'debug') tell();
    log.level = next;
    if (next === 'debug') tell();
  });
}

export type DescribedError = { name: string; message: string; code?: string; stack?: string; cause?: DescribedError };

/**
 * An error as the log may show it, its chain of causes included. Redis errors carry the whole command with the
 * run result in it, HTTP errors their request: only these members are kept.
 */
export function describeError(error: unknown, depth = 0): DescribedError {
  if (!(error instanceof Error)) return { name: 'NotAnError', message: typeof error };
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    ...(typeof code === 'string' && { code }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && depth < 5 && { cause: describeError(error.cause, depth + 1) }),
  };
}
