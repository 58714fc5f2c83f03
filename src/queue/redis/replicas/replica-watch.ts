// Looks at the replicas of a server all the time, so that one that joins while nothing is written is counted before it can be promoted.
import type { Redis } from 'ioredis';
import { countNeeded, parsePresent, type Seen } from './replicas-seen.ts';

export type ReplicaWatch = {
  /** @param info the section `replication` of INFO @returns how many replicas must have a write, as far as this process saw */
  note: (info: string) => number;
};

/** Well below what passes between a replica's joining and its promotion. */
const LOOK_EVERY_MS = 100;

/** Ends with the connection. Without the right to INFO it sees nothing. */
export function watchReplicas(redis: Redis, minReplicas: number): ReplicaWatch {
  let seen: Seen | null = null;
  let isLooking = false;

  function note(info: string): number {
    const counted = countNeeded(seen, parsePresent(info, performance.now()), minReplicas);
    seen = counted.seen;
    return counted.needed;
  }

  async function look(): Promise<void> {
    if (isLooking || redis.status !== 'ready') return;
    isLooking = true;
    await redis.info('replication').then(note, () => undefined);
    isLooking = false;
  }

  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  redis.once('end', () => clearInterval(looking));
  void look();
  return { note };
}
