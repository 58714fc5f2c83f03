// The logger: JSON lines on stdout, with redaction.
import { levels, pino, symbols, type Logger } from 'pino';
import { writeInstant } from '../domain/submission/instant.ts';
import type { LogLevel } from '../config/environment.ts';
import { openOutlet, type Outlet } from './output.ts';
import { toPrintedLine } from './printed-line.ts';

export type { Logger };

/** Members that hold secrets or device output: logged by mistake, they become `[redacted]`. */
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
/** Depth to which lines are redacted; none is deeper. */
const LEVELS = 3;

/**
 * Makes the logger of a process.
 * @param process `api` or `worker`
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

/** Lets pino write to an outlet. Fatal lines are flushed at once and kept when the buffer is full. */
function toDestination({ write, flushSync }: Outlet) {
  const destination = {
    [symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write: (line: string) => write(toPrintedLine(line.slice(0, -1)), destination.lastLevel >= FATAL),
    flushSync,
  };
  return destination;
}

/**
 * Copies only objects that hold something to redact. pino's own redaction clones a line for each string in it, which
 * allocates nearly as much as everything else that accepting a run result does.
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

/** Errors are described by `describeError`. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Error);
}

/**
 * SIGUSR2 switches the log level between the configured one and `debug`, or `info` where `debug` or `trace` is configured.
 * Each time the log states the level in force.
 */
export function switchLevelOnSignal(log: Logger, configured: LogLevel): void {
  const other = configured === 'debug' || configured === 'trace' ? 'info' : 'debug';
  process.on('SIGUSR2', () => {
    const next = log.level === configured ? other : configured;
    const announce = () => log.info({ logLevel: next }, 'log level in force');
    // Logged at the more verbose of the two levels, or it might not be seen.
    if (next !== 'debug') announce();
    log.level = next;
    if (next === 'debug') announce();
  });
}

export type DescribedError = { name: string; message: string; code?: string; stack?: string; cause?: DescribedError };

/**
 * An error as it may be logged, with its chain of causes. Redis errors carry the whole command including the run result,
 * HTTP errors their request: only these members are kept.
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
