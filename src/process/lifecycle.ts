// The life of a process: on a signal it drains and closes its parts in order, within a grace period; a second signal forces.
import { setTimeout as delay } from 'node:timers/promises';
import { CannotStart } from '../config/cannot-start.ts';
import { EXIT_CONFIG } from '../config/config.ts';
import type { Logger } from '../telemetry/log.ts';
import { createParts, type OnCloseFailed, type Parts } from './parts.ts';

export type Lifecycle = {
  parts: Parts;
  /** Everything is open: an error of the operating system is a defect from here on. */
  started: () => void;
};

export type LifecycleOptions = { drainMs: number; graceMs: number; onCloseFailed: OnCloseFailed };

const ONE_SIGNAL_MS = 50;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Takes over a process's signals. On SIGTERM or SIGINT the process keeps serving for `drainMs`, closes its parts, last
 * opened first, and exits 0. When that takes longer than the grace period, or a second signal comes, it exits 1 at once.
 * A process that ends because of a defect does not drain.
 */
export function createLifecycle(log: Logger, { drainMs, graceMs, onCloseFailed }: LifecycleOptions): Lifecycle {
  const exit = (code: number) => process.exit(code);
  const parts = createParts(onCloseFailed);
  let stoppingSince = 0;
  let stoppedBy: string | null = null;
  let isStarted = false;

  async function stop(reason: string, exitCode = 0): Promise<void> {
    if (parts.signal.aborted) return;
    log.info({ reason }, 'stopping');
    stoppingSince = performance.now();
    const force = setTimeout(() => {
      log.error({ graceMs }, 'grace period over, forcing');
      exit(1);
    }, graceMs);
    const drained = exitCode === 0 && drainMs > 0 ? delay(drainMs) : null;
    await parts.stop();
    await drained;
    await parts.close();
    clearTimeout(force);
    log.info('stopped');
    exit(exitCode);
  }

  for (const name of SIGNALS) {
    process.on(name, () => {
      // A wrapper that forwards a signal its whole process group received makes two of one.
      if (name === stoppedBy && performance.now() - stoppingSince < ONE_SIGNAL_MS) return;
      if (parts.signal.aborted) {
        log.error({ signal: name }, 'second signal, forcing');
        exit(1);
      }
      stoppedBy = name;
      void stop(name);
    });
  }
  process.on('uncaughtException', (error) => {
    if (error instanceof CannotStart || (!isStarted && isSystemError(error))) {
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

  return { parts, started: () => void (isStarted = true) };
}

/** The operating system refused: too many open files, no memory, no permission. */
const isSystemError = (error: Error) => typeof (error as NodeJS.ErrnoException).syscall === 'string';
