// Ctrl-C, and nobody reading any more, as an abort signal: a command that runs for long ends early, and still says what it knows.
import { once } from 'node:events';
import { onUnread } from './out.ts';

/** Aborted by SIGINT or SIGTERM, or when standard output is closed. `abort` it at the end, so that the signals do what they usually do again. */
export function createStopping(): AbortController {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    void once(process, signal, { signal: stopping.signal }).then(
      () => stopping.abort(),
      () => undefined,
    );
  }
  onUnread(() => stopping.abort());
  return stopping;
}
