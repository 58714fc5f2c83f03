// Replicas that follow but are too far behind to confirm anything in time: after a while they are no longer waited for.

/** What came of a wait. */
type Waited = { waitedFor: number; needed: number; confirmed: number };

export type SlowReplicas = {
  note: (waited: Waited) => void;
  /** How many of the replicas that are needed are waited for at present; never fewer than the number that is set. */
  enough: (needed: number) => number;
};

/** Longer than one that is away counts on, so that it is never this rule that drops such a one. */
const SLOW_AFTER_MS = 15_000;
/** All are waited for again after this time, in case they have caught up. */
const ASKED_AGAIN_AFTER_MS = 10_000;
/** Waits that failed further apart than this do not tell what was in between. */
const APART_MS = 10_000;

/**
 * One that confirmed nothing in time for this long is further behind than those which did, so that Sentinel and the Cluster prefer
 * those. Without this rule it would stop all submissions for as long as it is slow.
 */
export function createSlowReplicas(minReplicas: number, clock = () => performance.now()): SlowReplicas {
  let shortSince = -Infinity;
  let latestShort = -Infinity;
  let slow = 0;
  let passedOverUntil = -Infinity;
  return {
    note: ({ waitedFor, needed, confirmed }) => {
      if (waitedFor < needed) return;
      const now = clock();
      if (confirmed >= needed) {
        [shortSince, latestShort, slow, passedOverUntil] = [-Infinity, -Infinity, 0, -Infinity];
        return;
      }
      if (now - Math.max(latestShort, passedOverUntil) > APART_MS) shortSince = now;
      latestShort = now;
      if (now - shortSince < SLOW_AFTER_MS) return;
      slow = needed - confirmed;
      passedOverUntil = now + ASKED_AGAIN_AFTER_MS;
    },
    enough: (needed) => (clock() < passedOverUntil ? Math.max(minReplicas, needed - slow) : needed),
  };
}
