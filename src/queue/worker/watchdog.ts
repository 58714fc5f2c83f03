// Notices a worker that stopped fetching while work waits: rebuilds it, and says so when that does not help.
import pTimeout from 'p-timeout';

export type Watched = {
  /** Jobs that a worker could fetch now. */
  countWaiting: () => Promise<number>;
  /** Whether this worker has room for another job. */
  hasRoom: () => boolean;
  /** How many jobs this worker has begun since it was made. */
  countBegun: () => number;
  /** Closes its connections and opens new ones. */
  rebuild: () => Promise<void>;
  onStarved: (starvedMs: number) => void;
  /** One that only goes forward. */
  clock: () => number;
};

export type Watchdog = {
  /** False once a rebuild did not help: the process had better be started anew. */
  isAlive: () => boolean;
  look: () => Promise<void>;
  close: () => void;
};

const LOOK_EVERY_MS = 5000;
/** BullMQ's blocking read ends after at most 10 s; a worker that has not fetched by then never will. */
const REBUILD_AFTER_MS = 20_000;
const GIVE_UP_AFTER_MS = 60_000;

/**
 * Watches one worker. BullMQ's own signs stay healthy when it wedges after an outage (isRunning() is true, pings are
 * answered), so only progress counts: work waits, there is room, and nothing was begun.
 */
export function createWatchdog(watched: Watched): Watchdog {
  let starvedSince: number | null = null;
  let begun = watched.countBegun();
  let rebuilt = false;

  async function look(): Promise<void> {
    const waiting = await pTimeout(watched.countWaiting(), { milliseconds: LOOK_EVERY_MS }).catch(() => null);
    // Redis away is no fault of the worker's: it cannot fetch, and a new one could not either.
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
