// The parts of a process that have a lifetime: closed in the reverse order of their opening.

/** `at once`: takes new work by itself and stops doing so first, while callers are still answered. */
export type Closes = 'at once' | 'when drained';

export type Parts = {
  /** Remembers a part to be closed. */
  opened: (name: string, close: () => Promise<void> | void, closes?: Closes) => void;
  /** Aborts when the process is asked to stop. */
  signal: AbortSignal;
  /** Aborts the signal and closes what closes at once. */
  stop: () => Promise<void>;
  /** Closes everything. */
  close: () => Promise<void>;
};

type Part = { name: string; close: () => Promise<void>; closes: Closes };

/** The part of this name did not close cleanly. */
export type OnCloseFailed = (error: unknown, name: string) => void;

export function createParts(onCloseFailed: OnCloseFailed): Parts {
  const abort = new AbortController();
  let parts: Part[] = [];

  async function closeAll(which: Closes): Promise<void> {
    const closing = parts.filter(({ closes }) => closes === which).reverse();
    parts = parts.filter(({ closes }) => closes !== which);
    for (const { name, close } of closing) await close().catch((error: unknown) => onCloseFailed(error, name));
  }

  const stop = () => {
    abort.abort();
    return closeAll('at once');
  };
  return {
    opened: (name, close, closes = 'when drained') => void parts.push({ name, close: async () => close(), closes }),
    signal: abort.signal,
    stop,
    close: async () => {
      await stop();
      await closeAll('when drained');
    },
  };
}

/**
 * Opens something made of parts: among those of a process, which closes them when it ends, or else with parts of its own,
 * closed by `close` and where opening fails.
 */
export async function openParts<T extends object>(
  given: Parts | undefined,
  onCloseFailed: OnCloseFailed,
  open: (parts: Parts) => Promise<T>,
): Promise<T & Pick<Parts, 'close'>> {
  if (given) return { ...(await open(given)), close: given.close };
  const parts = createParts(onCloseFailed);
  try {
    return { ...(await open(parts)), close: parts.close };
  } catch (error) {
    await parts.close();
    throw error;
  }
}
