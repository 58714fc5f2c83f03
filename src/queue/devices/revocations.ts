// Revoked devices: one list for all API processes, each with a copy refreshed every second.
import { randomInt } from 'node:crypto';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { REVISION_FIELD } from '../lua/constants.ts';
import { scriptOf } from '../redis/script.ts';

export type Revoked = { deviceId: string; revokedAt: number };

export type Revocations = {
  /** Answered from this process's copy; while Redis is unavailable, the last known state applies. */
  isRevoked: (deviceId: string) => boolean;
  /** Wraps a function so that it fails until the list has been read once: before that, nobody knows who is revoked. */
  whenKnown: <A extends unknown[], T>(call: (...args: A) => Promise<T>) => (...args: A) => Promise<T>;
  /** @returns false if it was already revoked; the first instant is kept */
  revoke: (deviceId: string, now: number) => Promise<boolean>;
  /** @returns false if it was not revoked */
  restore: (deviceId: string) => Promise<boolean>;
  /** Read from Redis itself, newest first. */
  list: () => Promise<Revoked[]>;
  close: () => void;
};

const LOOK_EVERY_MS = 1000;
/** The revision grows by a random number: while a failover is under way two servers may each take a change, and get different lists. */
const LARGEST_STEP = 2 ** 24;

/** @param onTrouble called if Redis did not answer a refresh */
export async function openRevocations(
  redis: RedisConnection,
  { revoked: key }: Pick<Keys, 'revoked'>,
  onTrouble: (error: Error) => void,
): Promise<Revocations> {
  const revokeScript = scriptOf(redis, 'devices/revoke-device');
  const restoreScript = scriptOf(redis, 'devices/restore-device');
  let revoked: ReadonlySet<string> = new Set();
  let revision: string | null | undefined;

  async function read(): Promise<Map<string, string>> {
    const fields = new Map(Object.entries(await redis.hgetall(key)));
    revision = fields.get(REVISION_FIELD) ?? null;
    fields.delete(REVISION_FIELD);
    revoked = new Set(fields.keys());
    return fields;
  }

  async function look(): Promise<void> {
    if (redis.status !== 'ready') return;
    try {
      if (revision === undefined || (await redis.hget(key, REVISION_FIELD)) !== revision) await read();
    } catch (error) {
      if (error instanceof Error) onTrouble(error);
    }
  }

  const onReady = () => void look();
  redis.on('ready', onReady);
  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  await look();

  async function change(script: typeof revokeScript, args: (string | number)[]): Promise<boolean> {
    const changed = (await script([key], [randomInt(1, LARGEST_STEP), ...args])) === 1;
    await read();
    return changed;
  }

  return {
    isRevoked: (deviceId) => revoked.has(deviceId),
    whenKnown:
      (call) =>
      (...args) =>
        revision === undefined
          ? Promise.reject(new Error('nobody knows yet which devices are revoked'))
          : call(...args),
    revoke: (deviceId, now) => change(revokeScript, [deviceId, now]),
    restore: (deviceId) => change(restoreScript, [deviceId]),
    list: async () =>
      Array.from(await read(), ([deviceId, revokedAt]) => ({ deviceId, revokedAt: Number(revokedAt) })).sort(
        (a, b) => b.revokedAt - a.revokedAt,
      ),
    close: () => {
      clearInterval(looking);
      redis.off('ready', onReady);
    },
  };
}
