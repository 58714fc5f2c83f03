// What the directory said about devices, kept in Redis for all processes.
import type { KnownDevice, Remembered } from '../../domain/directory/consult.ts';
import type { DirectoryDevice } from '../../domain/directory/directory-device.ts';
import { QUESTION_UNDER_WAY_MS, REFUSAL_REMEMBERED_MS } from '../../domain/directory/freshness.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';
import { packDevice, packId, packUse, toHex, unpackDevice, unpackId } from './packed-device.ts';

export type Mirror = {
  read: (deviceIds: readonly string[]) => Promise<Remembered[]>;
  saveDevice: (deviceId: string, device: DirectoryDevice, askedAt: number) => Promise<void>;
  saveAbsent: (deviceId: string, askedAt: number) => Promise<void>;
  noteUse: (deviceId: string, usedAt: number) => Promise<void>;
  /** Forgets a device, and what the directory answers to questions from before. @returns whether anything was known */
  forget: (deviceId: string, now: number) => Promise<boolean>;
  /** A device that is not used any more. */
  drop: (deviceId: string) => Promise<void>;
  countKnown: () => Promise<number>;
  /** A few devices and where to go on, from '0' and until it is '0' again. A device may be there twice. */
  scan: (cursor: string) => Promise<{ next: string; devices: { deviceId: string; device: KnownDevice }[] }>;
};

/**
 * More ids than the directory is asked about while one is remembered. Anybody can make up ids, so what is remembered
 * about them is bounded: beyond this, the oldest are forgotten.
 */
const MOST_ABSENT = 50_000;
const SCANNED_AT_ONCE = 500;

export function createMirror(redis: RedisConnection, keys: Pick<Keys, 'directory'>): Mirror {
  const { devices, unknown, forgotten } = keys.directory;
  const saveScript = scriptOf(redis, 'directory/save-device');
  const useScript = scriptOf(redis, 'directory/note-use');
  const absentScript = scriptOf(redis, 'directory/save-absent');
  const forgetScript = scriptOf(redis, 'directory/forget-device');
  const dropScript = scriptOf(redis, 'directory/drop-device');

  return {
    read: async (deviceIds) => {
      if (deviceIds.length === 0) return [];
      const ids = deviceIds.map(packId);
      const [known, absent] = await Promise.all([redis.hmgetBuffer(devices, ...ids), redis.zmscore(unknown, ...ids)]);
      return ids.map((_id, index) => toRemembered(known[index] ?? null, absent[index] ?? null));
    },
    saveDevice: async (deviceId, device, askedAt) => {
      await saveScript([devices, forgotten, unknown], [...packDevice(deviceId, device, askedAt), askedAt]);
    },
    saveAbsent: async (deviceId, askedAt) => {
      const args = [toHex(deviceId), askedAt, REFUSAL_REMEMBERED_MS, MOST_ABSENT];
      await absentScript([devices, forgotten, unknown], args);
    },
    noteUse: async (deviceId, usedAt) => {
      await useScript([devices], packUse(deviceId, usedAt));
    },
    forget: async (deviceId, now) => {
      const args = [toHex(deviceId), now, QUESTION_UNDER_WAY_MS];
      return Number(await forgetScript([devices, forgotten, unknown], args)) > 0;
    },
    drop: async (deviceId) => {
      await dropScript([devices], [toHex(deviceId)]);
    },
    countKnown: () => redis.hlen(devices),
    scan: async (cursor) => {
      const [next, flat] = await redis.hscanBuffer(devices, cursor, 'COUNT', SCANNED_AT_ONCE);
      const found = [];
      for (let index = 0; index + 1 < flat.length; index += 2) {
        const [id, value] = [flat[index], flat[index + 1]];
        if (id && value) found.push({ deviceId: unpackId(id), device: unpackDevice(value) });
      }
      return { next: String(next), devices: found };
    },
  };
}

function toRemembered(known: Buffer | null, absentAt: string | null): Remembered {
  if (known) return { kind: 'known', device: unpackDevice(known) };
  return absentAt === null ? { kind: 'never-asked' } : { kind: 'absent', askedAt: Number(absentAt) };
}
