// Whether Redis takes writes, asked with one that changes nothing; asked all the while, so that a connection that leads to a
// replica by now is noticed also where nothing is written.
import type { Keys } from './keys.ts';
import type { RedisConnection } from './connection.ts';

export type WriteProbe = {
  /** @throws Error where Redis takes no write */
  ask: () => Promise<void>;
  close: () => void;
};

const ASK_EVERY_MS = 1000;

/** @param onTrouble why a write was refused */
export function openWriteProbe(
  redis: RedisConnection,
  { root }: Pick<Keys, 'root'>,
  onTrouble: (error: Error) => void,
): WriteProbe {
  let asking: Promise<void> | null = null;

  /** One question at a time: where commands wait for Redis to come back, more would wait with it. */
  function ask(): Promise<void> {
    // Nobody ever sets the key, so nothing is written and nothing fsynced; but whatever refuses writes refuses this one.
    asking ??= redis
      .del(`${root}:probe`)
      .then(() => undefined)
      .finally(() => (asking = null));
    return asking;
  }

  const asksAgain = setInterval(() => {
    if (redis.status === 'ready') ask().catch(onTrouble);
  }, ASK_EVERY_MS);
  return { ask, close: () => clearInterval(asksAgain) };
}
