// Looks at the replicas of a server all the time, so that one that joins while nothing is written is counted before it can be promoted.
import type { Redis } from 'ioredis';
import { countNeeded, parsePresent, type Seen } from './replicas-seen.ts';

export type ReplicaWatch = {
  /** @param info the section `replication` of INFO @returns how many replicas must have a write, as far as this process saw */
  note: (info: string) => number;
};

/** Well below what passes between a replica's joining and its promotion. */
const LOOK_EVERY_MS = 100;
/** A user without the right to INFO is not asked for it again and again: Redis keeps a log of what it refused. */
const REST_MS = 60_000;

/** Ends with the connection. */
export function watchReplicas(redis: Redis, minReplicas: number): ReplicaWatch {
  let seen: Seen | null = null;
  let isLooking = false;
  let restsUntil = -Infinity;

  function note(info: string): number {
    const counted = countNeeded(seen, parsePresent(info, performance.now()), minReplicas);
    seen = counted.seen;
    return counted.needed;
  }

  async function look(): Promise<void> {
    if (isLooking || redis.status !== 'ready' || performance.now() < restsUntil) return;
    isLooking = true;
    try {
      note(await redis.info('replication'));
    } catch (error) {
      if (/NOPERM/.test(String(error))) restsUntil = performance.now() + REST_MS;
    }
    isLooking = false;
  }

  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  redis.once('end', () => clearInterval(looking));
  void look();
  return { note };
}
