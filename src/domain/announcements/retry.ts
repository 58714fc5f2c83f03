// When an announcement that was not taken is sent again: for a day, after growing waits.

const FIRST_MS = 5000;
const LONGEST_MS = 3_600_000;
/** No longer sent after this: an operator has other news by then. */
export const TRIED_FOR_MS = 24 * 3_600_000;

/** The wait after an attempt: doubles from 5 s to an hour, of which the second half is left to chance. @param dice from 0 to 1 */
export const retryDelayMs = (attemptsMade: number, dice: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attemptsMade - 1, 20)) * (0.5 + dice / 2);
