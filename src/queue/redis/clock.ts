// Redis's clock as seen by a process: read every second, and extrapolated in between with a monotonic clock.
import pTimeout from 'p-timeout';
import type { RedisConnection } from './connection.ts';
import { scriptOf } from './script.ts';

export type RedisClock = {
  /** Milliseconds since 1970 on Redis's clock, the only clock shared by all processes. */
  now: () => number;
  /**
   * The latest possible instant. After the machine slept or its clock was set forward, Redis may not have been asked again
   * yet; use this where acting too late would be wrong.
   */
  latest: () => number;
  close: () => void;
};

/** The machine's clocks: `elapsed` is monotonic, but may stop while the machine sleeps. */
export type MachineClocks = { elapsed: () => number; wall: () => number };

const ASK_EVERY_MS = 1000;
const ANSWER_WITHIN_MS = 5000;

const MACHINE: MachineClocks = { elapsed: () => performance.now(), wall: () => Date.now() };

/**
 * Opens the clock of the Redis node that holds a key. Until Redis has been asked once it is the machine's clock; on a
 * connection that is ready, Redis has been asked when this resolves.
 */
export async function openRedisClock(
  redis: RedisConnection,
  key: string,
  { elapsed, wall }: MachineClocks = MACHINE,
): Promise<RedisClock> {
  // A script runs on the node that has the key; TIME alone might go to any node.
  const timeScript = scriptOf(redis, 'redis/read-time');
  /** Redis's clock minus `elapsed`, and the wall clock minus `elapsed`, when Redis was last asked. */
  let offset: number | null = null;
  let wallOffset = 0;
  let asking = false;

  async function readTime(): Promise<void> {
    if (asking || redis.status !== 'ready') return;
    asking = true;
    const askedAt = elapsed();
    try {
      const [seconds, micros] = (await pTimeout(timeScript([key], []), { milliseconds: ANSWER_WITHIN_MS })) as [
        string,
        string,
      ];
      const answeredAt = elapsed();
      const time = Number(seconds) * 1000 + Number(micros) / 1000;
      // Redis read its clock between request and response, so the known offset is kept unless it lies outside that range.
      const [least, most] = [time - answeredAt, time - askedAt];
      offset = offset === null ? (least + most) / 2 : Math.min(most, Math.max(least, offset));
      wallOffset = wall() - elapsed();
    } catch {
      // The last known offset stays in use; callers that need Redis notice the failure themselves.
    } finally {
      asking = false;
    }
  }

  const now = () => Math.round(offset === null ? wall() : offset + elapsed());
  const onReady = () => void readTime();
  redis.on('ready', onReady);
  const readsAgain = setInterval(() => void readTime(), ASK_EVERY_MS);
  await readTime();

  return {
    now,
    latest: () => now() + (offset === null ? 0 : Math.max(0, wall() - elapsed() - wallOffset)),
    close: () => {
      redis.off('ready', onReady);
      clearInterval(readsAgain);
    },
  };
}
