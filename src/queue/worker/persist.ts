// Retries a write that Redis refused, with backoff and for a limited time: the result to be stored exists only in this process.
import { setTimeout as delay } from 'node:timers/promises';
import { isRefused } from '../redis/redis-errors.ts';

/** Retries a write until Redis accepts it. @throws the last error from Redis once time is up or the lock is lost */
export type Persist = <T>(write: () => Promise<T>) => Promise<T>;

export type PersistOptions = {
  /** Ends the wait and allows one last try: another worker may have the delivery by now. */
  lockLost: AbortSignal;
  onRefused: (error: Error) => void;
  repeatForMs?: number;
};

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;
const REPEAT_FOR_MS = 30_000;

export function createPersist({ lockLost, onRefused, repeatForMs = REPEAT_FOR_MS }: PersistOptions): Persist {
  return async (write) => {
    const startedAt = performance.now();
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        return await write();
      } catch (error) {
        const isLast = lockLost.aborted || performance.now() - startedAt >= repeatForMs;
        if (!isRefused(error) || isLast) throw error;
        if (waitMs === FIRST_WAIT_MS) onRefused(error);
      }
      await delay(waitMs, undefined, { signal: lockLost }).catch(() => undefined);
    }
  };
}
