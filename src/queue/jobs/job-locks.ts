// Renews the locks of active jobs. BullMQ's own renewal uses the wall clock and stops working if that steps back.

/** Extends locks. @returns the ids of those that are lost */
type Extend = (ids: string[], tokens: string[], lockMs: number) => Promise<string[]>;

export type Locks = {
  /** Keeps renewing a job's lock until it is released. @returns a signal that is aborted if the lock is lost */
  keep: (id: string, token: string) => AbortSignal;
  release: (id: string, token: string) => void;
  close: () => void;
};

/** Several attempts to renew a lock before it expires. */
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
      // If this process gets a job again, the lock it had before is lost.
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
