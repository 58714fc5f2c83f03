// Limits how fast each device submits: counted in this process while far from the limit, and in Redis from there on.
import type { Response } from 'express';
import { startOfWindow, WINDOW_MS } from '../../domain/submission/device-rate.ts';

/** Adds to a device's count over all processes. @returns the count of the window */
type CountShared = (deviceId: string, windowStartedAt: number, added: number) => Promise<number>;

export type Taken = {
  ok: boolean;
  /** How many more this window allows, as far as this process knows. */
  remaining: number;
  /** Until the next window. */
  resetMs: number;
};

export type DeviceRate = {
  perWindow: number;
  /**
   * Counts submissions of an identified device; a batch is accepted if a single one would be. Rejects if the shared count is
   * needed and Redis does not answer.
   */
  take: (deviceId: string, submissions: number, now: number) => Promise<Taken> | Taken;
};

/** Below this share of the limit, counts stay local to the process. */
const LOCAL_ONLY_SHARE = 0.25;

/** This process's view of a device's window; once `asked`, every further submission is counted in Redis. */
type Seen = { startedAt: number; asked: boolean; shared: number; unshared: number };

export function createDeviceRate(perWindow: number, count: CountShared): DeviceRate {
  const localOnly = Math.floor(perWindow * LOCAL_ONLY_SHARE);
  let seen = new Map<string, Seen>();
  let seenBefore = new Map<string, Seen>();
  let turnedAt = 0;

  /** Unused entries are dropped within two windows. */
  function look(deviceId: string, now: number): Seen {
    if (Math.abs(now - turnedAt) >= WINDOW_MS) {
      seenBefore = seen;
      seen = new Map();
      turnedAt = now;
    }
    const startedAt = startOfWindow(deviceId, now);
    const known = seen.get(deviceId) ?? seenBefore.get(deviceId);
    const present = known?.startedAt === startedAt ? known : { startedAt, asked: false, shared: 0, unshared: 0 };
    if (present !== seen.get(deviceId)) seen.set(deviceId, present);
    return present;
  }

  async function share(deviceId: string, device: Seen, submissions: number): Promise<number> {
    const added = device.unshared;
    device.unshared = 0;
    device.asked = true;
    try {
      const total = await count(deviceId, device.startedAt, added);
      device.shared = Math.max(device.shared, total);
      return total;
    } catch (error) {
      // The refused submissions do not count.
      device.unshared += added - submissions;
      throw error;
    }
  }

  return {
    perWindow,
    take: (deviceId, submissions, now) => {
      const device = look(deviceId, now);
      const resetMs = device.startedAt + WINDOW_MS - now;
      const toTaken = (total: number): Taken => {
        return { ok: total - submissions < perWindow, remaining: Math.max(0, perWindow - total), resetMs };
      };
      if (device.shared >= perWindow) return toTaken(device.shared + submissions);
      device.unshared += submissions;
      if (!device.asked && device.unshared <= localOnly) return toTaken(device.unshared);
      return share(deviceId, device, submissions).then(toTaken);
    },
  };
}

/** Sets the rate limit header fields of draft-ietf-httpapi-ratelimit-headers. */
export function setRateHeaders(res: Response, perWindow: number, { remaining, resetMs }: Taken): void {
  res.setHeader('RateLimit-Policy', `"device";q=${perWindow};w=${WINDOW_MS / 1000}`);
  res.setHeader('RateLimit', `"device";r=${remaining};t=${Math.ceil(resetMs / 1000)}`);
}
