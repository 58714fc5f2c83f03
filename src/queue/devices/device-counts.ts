// How much each device submitted in its present window, counted by all processes together; a window's count goes by itself.
import { WINDOW_MS } from '../../domain/submission/device-rate.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

/** Adds to a device's count. @returns what all processes counted in this window */
export type CountDevice = (deviceId: string, windowStartedAt: number, added: number) => Promise<number>;

export function createDeviceCounts(redis: RedisConnection, { root }: Pick<Keys, 'root'>): CountDevice {
  const countScript = scriptOf(redis, 'devices/count-device');
  return async (deviceId, windowStartedAt, added) => {
    // Twice the window, for processes whose clocks do not quite agree.
    const total = await countScript([`${root}:rate:${deviceId}:${windowStartedAt}`], [added, 2 * WINDOW_MS]);
    return Number(total);
  };
}
