// Counts each device's submissions in its current window, across all processes; counters expire on their own.
import { WINDOW_MS } from '../../domain/submission/device-rate.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

/** Adds to a device's counter. @returns the total of all processes in this window */
export type CountDevice = (deviceId: string, windowStartedAt: number, added: number) => Promise<number>;

export function createDeviceCounts(redis: RedisConnection, { root }: Pick<Keys, 'root'>): CountDevice {
  const countScript = scriptOf(redis, 'devices/count-device');
  return async (deviceId, windowStartedAt, added) => {
    // Twice the window, for processes whose clocks differ slightly.
    const total = await countScript([`${root}:rate:${deviceId}:${windowStartedAt}`], [added, 2 * WINDOW_MS]);
    return Number(total);
  };
}
