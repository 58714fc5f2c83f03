// Waits for the queue on behalf of a request; if it does not answer, reports that and refuses the request with 503.
import { jitter, Refused } from '../response/problem.ts';

export type QueueParts = {
  random: () => number;
  /** The queue did not answer, and why. */
  onQueueTrouble: (error: unknown) => void;
};

/** @throws Refused if the promise rejects */
export type AskQueue = <T>(asked: Promise<T>) => Promise<T>;

const RETRY_AFTER_S = { minS: 2, jitterS: 28 };

/** @param detail what the caller should do about it */
export function createAskQueue({ random, onQueueTrouble }: QueueParts, detail = 'ask again later'): AskQueue {
  return (asked) =>
    asked.catch((error: unknown): never => {
      onQueueTrouble(error);
      throw new Refused({ code: 'queue-unavailable', detail, retryAfterS: jitter(RETRY_AFTER_S, random) });
    });
}
