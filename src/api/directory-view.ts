// What health and status say about the device directory.
import { DIRECTORY_REMEDIES, type DirectoryHold } from '../domain/directory/directory-answer.ts';
import type { Check, DirectoryStatus } from '../http/response/response-schemas.ts';
import type { DirectoryState } from '../queue/directory/directory.ts';

/** Null if the device directory vouches for nobody. */
export type ReadDirectory = () => Promise<DirectoryState | null>;

const NO_READER =
  'questions wait, and no worker answers them. Set DEVICE_DIRECTORY in the workers’ environment as well, and see that one runs';

/** Longer than Graph throttles as a rule. */
const LONG_THROTTLE_MS = 600_000;

export function toDirectoryCheck({ waiting, known, hold, throttledMs, isRead }: DirectoryState): Check {
  if (hold) return { ok: false, detail: describeHold(hold) };
  if (waiting > 0 && !isRead) return { ok: false, detail: NO_READER };
  if (throttledMs > LONG_THROTTLE_MS)
    return { ok: false, detail: `Graph throttles questions for another ${Math.ceil(throttledMs / 60_000)} min` };
  const throttled = throttledMs === 0 ? '' : `throttled for another ${Math.ceil(throttledMs / 1000)} s, `;
  return { ok: true, detail: `${throttled}${known} devices known, ${waiting} questions wait` };
}

export function toDirectoryStatus({ waiting, known, hold }: DirectoryState): DirectoryStatus {
  return {
    waiting,
    known,
    hold: hold && {
      reason: hold.reason,
      since: new Date(hold.since).toISOString(),
      detail: hold.detail,
      remedy: DIRECTORY_REMEDIES[hold.reason],
    },
  };
}

const describeHold = ({ reason, since, detail }: DirectoryHold) =>
  `${reason} since ${new Date(since).toISOString()}: ${detail}. Known devices go on, unknown ones hear 503. ${DIRECTORY_REMEDIES[reason]}`;
