// Redis's clock as a process knows it: asked every second, and kept in between by a clock that only goes forward.
import pTimeout from 'p-timeout';
import type { RedisConnection } from './connection.ts';
import { scriptOf } from './script.ts';

export type RedisClock = {
  /** Milliseconds since 1970 by Redis's clock: the one clock that all processes share. */
  now: () => number;
  /**
   * The latest instant it can be. A machine that slept, or was set forward, may not have asked Redis again yet; use
   * this where acting too late would be wrong.
   */
  latest: () => number;
  close: () => void;
};

/** The clocks of the machine: `elapsed` only goes forward, but may stand still while the machine sleeps. */
export type MachineClocks = { elapsed: () => number; wall: () => number };

const ASK_EVERY_MS = 1000;
const ANSWER_WITHIN_MS = 5000;

const MACHINE: MachineClocks = { elapsed: () => performance.now(), wall: () => Date.now() };

/**
 * Opens the clock of the Redis that holds a key. Until Redis was asked once it is the machine's own; on a connection
 * that is ready it was asked when this resolves.
 */
export async function openRedisClock(
  redis: RedisConnection,
  key: string,
  { elapsed, wall }: MachineClocks = MACHINE,
): Promise<RedisClock> {
  // A script goes to the node that has the key; TIME by itself would go to any.
  const timeScript = scriptOf(redis, 'redis/read-time');
  /** What Redis's clock shows when `elapsed` is 0, and by how much the wall clock was ahead of it when Redis was asked. */
  let offset: number | null = null;
  let wallOffset = 0;
  let asking = false;

  async function ask(): Promise<void> {
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
      // Redis read its clock somewhere between question and answer: what is known stays, unless it lies outside.
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
  const onReady = () => void ask();
  redis.on('ready', onReady);
  const asked = setInterval(() => void ask(), ASK_EVERY_MS);
  await ask();

  return {
    now,
    latest: () => now() + (offset === null ? 0 : Math.max(0, wall() - elapsed() - wallOffset)),
    close: () => {
      redis.off('ready', onReady);
      clearInterval(asked);
    },
  };
}
