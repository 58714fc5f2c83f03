// Holds the lock of a move for as long as a run works on it.
import { setTimeout as delay } from 'node:timers/promises';
import { LOCK_MS, type SourceEnd } from './ends.ts';
import { AnotherRun } from './writer.ts';

export type HeldLock = {
  /** Aborted when another run has taken the move over, as after this process stood still. */
  lost: AbortSignal;
  release: () => Promise<void>;
};

const RENEWED_PER_LOCK = 4;
const LOOK_EVERY_MS = 250;

/** Waits as long as a run that is dead may still have it. @throws AnotherRun if another run has it, or the signal's reason */
export async function holdLock(
  end: Pick<SourceEnd, 'takeLock' | 'releaseLock'>,
  signal?: AbortSignal,
): Promise<HeldLock> {
  const giveUpAt = performance.now() + LOCK_MS + LOOK_EVERY_MS;
  while (!(await end.takeLock())) {
    if (performance.now() > giveUpAt) throw new AnotherRun();
    await delay(LOOK_EVERY_MS);
    signal?.throwIfAborted();
  }
  const lost = new AbortController();
  const renewing = setInterval(() => {
    // While Redis does not answer, nobody else gets it either.
    end.takeLock().then(
      (isOurs) => {
        if (!isOurs) lost.abort(new AnotherRun());
      },
      () => undefined,
    );
  }, LOCK_MS / RENEWED_PER_LOCK);
  return {
    lost: lost.signal,
    release: async () => {
      clearInterval(renewing);
      await end.releaseLock().catch(() => undefined);
    },
  };
}
