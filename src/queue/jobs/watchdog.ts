// Detects a worker that stopped fetching jobs although some are waiting: rebuilds it, and reports it as dead if that fails.
import pTimeout from 'p-timeout';

export type Watched = {
  /** Jobs that a worker could fetch now. */
  countWaiting: () => Promise<number>;
  /** Whether this worker has room for another job. */
  hasRoom: () => boolean;
  /** How many jobs this worker has started since it was created. */
  countBegun: () => number;
  /** Closes its connections and opens new ones. */
  rebuild: () => Promise<void>;
  onStarved: (starvedMs: number) => void;
  /** A monotonic clock. */
  clock: () => number;
};

export type Watchdog = {
  /** False if a rebuild did not help: the process should be restarted. */
  isAlive: () => boolean;
  look: () => Promise<void>;
  close: () => void;
};

const LOOK_EVERY_MS = 5000;
/** BullMQ's blocking read ends after 10 s at most; a worker that has not fetched by then never will. */
const REBUILD_AFTER_MS = 20_000;
const GIVE_UP_AFTER_MS = 60_000;

/**
 * Watches one worker. After an outage a wedged BullMQ worker still looks healthy (isRunning() is true, pings are
 * answered), so only progress counts: jobs are waiting, there is room, and none was started.
 */
export function createWatchdog(watched: Watched): Watchdog {
  let starvedSince: number | null = null;
  let begun = watched.countBegun();
  let rebuilt = false;

  async function look(): Promise<void> {
    const waiting = await pTimeout(watched.countWaiting(), { milliseconds: LOOK_EVERY_MS }).catch(() => null);
    // If Redis is unreachable, the worker is not at fault: a new one could not fetch either.
    const starved = waiting !== null && waiting > 0 && watched.hasRoom() && watched.countBegun() === begun;
    begun = watched.countBegun();
    if (!starved) {
      starvedSince = null;
      rebuilt = false;
      return;
    }
    starvedSince ??= watched.clock();
    const starvedMs = watched.clock() - starvedSince;
    if (starvedMs < REBUILD_AFTER_MS || rebuilt) return;
    rebuilt = true;
    watched.onStarved(starvedMs);
    await watched.rebuild();
  }

  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  return {
    look,
    isAlive: () => starvedSince === null || watched.clock() - starvedSince < GIVE_UP_AFTER_MS,
    close: () => clearInterval(looking),
  };
}
