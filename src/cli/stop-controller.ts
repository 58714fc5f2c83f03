// An abort signal for Ctrl-C and unusable output, so that long commands end early and still print their results.
import { once } from 'node:events';
import { onUnread } from './out.ts';

/**
 * Aborts on SIGINT, SIGTERM, or when output can no longer be written. Call `abort` when the work is done: signals then
 * end the process again.
 */
export function createStopController(): AbortController {
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
