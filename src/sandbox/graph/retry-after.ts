// Formats a Retry-After header.

/** How the limiter states the wait: whole seconds, fractional seconds, a date, or not at all, as Intune often does. */
export type RetryAfterMode = 'seconds' | 'fractional' | 'http-date' | 'none';

export type RetryAfter = { header: string; askedForMs: number };

/** The header, never shorter than the time needed; undefined if none is sent. */
export function spellRetryAfter(mode: RetryAfterMode, waitMs: number, nowMs: number): RetryAfter | undefined {
  switch (mode) {
    case 'seconds': {
      const seconds = Math.ceil(waitMs / 1000);
      return { header: seconds.toString(), askedForMs: seconds * 1000 };
    }
    case 'fractional': {
      const askedForMs = Math.ceil(waitMs);
      return { header: (askedForMs / 1000).toString(), askedForMs };
    }
    case 'http-date': {
      const untilMs = Math.ceil((nowMs + waitMs) / 1000) * 1000;
      return { header: new Date(untilMs).toUTCString(), askedForMs: untilMs - nowMs };
    }
    case 'none':
      return undefined;
  }
}
