// A process's life: signal → abort → drain → ordered close, all within a grace period; a second signal forces.
import { setTimeout as delay } from 'node:timers/promises';
import { CannotStart } from '../config/cannot-start.ts';
import { EXIT_CONFIG } from '../config/config.ts';
import type { Logger } from '../telemetry/log.ts';

/** A part with a lifetime, closed in the reverse order of its opening. */
export type Part = { name: string; close: () => Promise<void>; closes: Closes };

/** `at once`: what takes new work by itself stops doing so, while those who call are still answered. */
export type Closes = 'at once' | 'when drained';

export type Lifecycle = {
  /** Remembers a part to be closed. */
  opened: (name: string, close: () => Promise<void> | void, closes?: Closes) => void;
  /** Everything is open: what goes wrong from here on is a bug. */
  started: () => void;
  /** Aborts when the process is asked to stop. */
  signal: AbortSignal;
  /** Closes everything as a signal would, and ends the process with this code. */
  stop: (reason: string, exitCode?: number) => Promise<void>;
};

const ONE_SIGNAL_MS = 50;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Takes over a process's signals. SIGTERM or SIGINT lets the process serve on for `drainMs`, closes the parts, last opened
 * first, and exits 0; when that takes longer than the grace period, or a second signal comes, the process ends at once
 * with 1. A process that ends for a defect does not drain.
 */
export function createLifecycle(
  log: Logger,
  { drainMs, graceMs }: { drainMs: number; graceMs: number },
  exit: (code: number) => void = (code) => process.exit(code),
): Lifecycle {
  const parts: Part[] = [];
  const abort = new AbortController();
  let stoppingSince = 0;
  let stoppedBy: string | null = null;
  let isStarted = false;

  async function stop(reason: string, exitCode = 0): Promise<void> {
    if (abort.signal.aborted) return;
    log.info({ reason }, 'stopping');
    abort.abort();
    stoppingSince = performance.now();
    const force = setTimeout(() => {
      log.error({ graceMs }, 'grace period over, forcing');
      exit(1);
    }, graceMs);
    const drained = exitCode === 0 && drainMs > 0 ? delay(drainMs) : null;
    await closeAll('at once');
    await drained;
    await closeAll('when drained');
    clearTimeout(force);
    log.info('stopped');
    exit(exitCode);
  }

  async function closeAll(which: Closes): Promise<void> {
    for (const part of parts.filter(({ closes }) => closes === which).reverse()) {
      await part.close().catch((error: unknown) => log.error({ error, part: part.name }, 'did not close cleanly'));
    }
  }

  for (const name of SIGNALS) {
    process.on(name, () => {
      // A wrapper that forwards what its whole group got makes one signal two.
      if (name === stoppedBy && performance.now() - stoppingSince < ONE_SIGNAL_MS) return;
      if (abort.signal.aborted) {
        log.error({ signal: name }, 'second signal, forcing');
        exit(1);
      }
      stoppedBy = name;
      void stop(name);
    });
  }
  process.on('uncaughtException', (error) => {
    if (error instanceof CannotStart || (!isStarted && isOfTheSystem(error))) {
      log.fatal({ reason: error.message }, 'cannot start');
      void stop('cannot start', EXIT_CONFIG);
      return;
    }
    log.fatal({ error }, 'defect: uncaught exception');
    void stop('uncaught exception', 1);
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ error }, 'defect: unhandled rejection');
    void stop('unhandled rejection', 1);
  });

  return {
    opened: (name, close, closes = 'when drained') => void parts.push({ name, close: async () => close(), closes }),
    started: () => void (isStarted = true),
    signal: abort.signal,
    stop,
  };
}

/** The operating system said no: too many open files, no memory, no permission. */
const isOfTheSystem = (error: Error) => typeof (error as NodeJS.ErrnoException).syscall === 'string';
