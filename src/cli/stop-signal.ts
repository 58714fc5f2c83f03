// An abort signal for Ctrl-C and closed output, so that long commands end early and still print their results.
import { once } from 'node:events';
import { onUnread } from './out.ts';

/** Aborted by SIGINT, SIGTERM or closed standard output. Call `abort` at the end to restore the signals' default effect. */
export function createStopSignal(): AbortController {
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
