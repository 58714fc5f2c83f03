// Keeps the locks of the jobs in hand. BullMQ's own renewal reckons by the wall clock: where that steps back, it stops.

/** Prolongs locks. @returns the ids of those that are lost */
type Extend = (ids: string[], tokens: string[], lockMs: number) => Promise<string[]>;

export type Locks = {
  /** Keeps a job's lock until it is released. @returns aborted where the lock is lost */
  keep: (id: string, token: string) => AbortSignal;
  release: (id: string, token: string) => void;
  close: () => void;
};

/** Several chances to prolong a lock before it ends. */
const RENEWED_PER_LOCK = 4;

export function createLocks(extend: Extend, lockMs: number, onTrouble: (error: Error) => void): Locks {
  const kept = new Map<string, { token: string; lost: AbortController }>();

  async function renew(): Promise<void> {
    if (kept.size === 0) return;
    const asked = [...kept];
    const tokens = asked.map(([, { token }]) => token);
    const lost = await extend(
      asked.map(([id]) => id),
      tokens,
      lockMs,
    );
    for (const [id, { lost: controller }] of asked) if (lost.includes(id)) controller.abort();
  }

  const renewing = setInterval(
    () => void renew().catch((error: unknown) => onTrouble(error as Error)),
    lockMs / RENEWED_PER_LOCK,
  );

  return {
    keep: (id, token) => {
      // Whoever has the job again lost the lock it had before.
      kept.get(id)?.lost.abort();
      const lost = new AbortController();
      kept.set(id, { token, lost });
      return lost.signal;
    },
    release: (id, token) => {
      if (kept.get(id)?.token === token) kept.delete(id);
    },
    close: () => clearInterval(renewing),
  };
}
