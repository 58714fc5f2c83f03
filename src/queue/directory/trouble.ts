// Why the directory is not asked at present, shared by all processes: a hold, or a throttle.
import {
  DIRECTORY_HOLD_REASONS,
  type DirectoryHold,
  type DirectoryHoldReason,
} from '../../domain/directory/directory-answer.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOf } from '../redis/script.ts';

export type DirectoryTrouble = {
  hold: DirectoryHold | null;
  /** How long the directory said not to ask; 0 if it did not. */
  throttledMs: number;
};

export type Cause = { reason: DirectoryHoldReason; detail: string };

export type TroubleStore = {
  read: () => Promise<DirectoryTrouble>;
  /** @returns false if it was held already */
  beginHold: (cause: Cause, now: number, probeAt: number) => Promise<boolean>;
  /** @returns whether this caller is to send the probe. @param lostAt when it counts as lost */
  claimProbe: (now: number, lostAt: number) => Promise<boolean>;
  probeFailed: (cause: Cause, probeAt: number) => Promise<void>;
  /** @returns false if it was not held */
  endHold: () => Promise<boolean>;
  throttle: (ms: number) => Promise<void>;
  /** @returns how many devices' questions failed since one was last answered */
  suspect: (deviceId: string) => Promise<number>;
  answered: () => Promise<void>;
  /** A worker answers questions. */
  readerIsThere: () => Promise<void>;
  isReaderThere: () => Promise<boolean>;
};

const SUSPECTED_MS = 600_000;
const READER_SEEN_MS = 30_000;

export function createTroubleStore(redis: RedisConnection, { directory: keys }: Pick<Keys, 'directory'>): TroubleStore {
  const beginScript = scriptOf(redis, 'directory/begin-hold');
  const claimScript = scriptOf(redis, 'directory/claim-probe');
  const failScript = scriptOf(redis, 'directory/fail-probe');
  const endScript = scriptOf(redis, 'directory/end-hold');

  return {
    read: async () => {
      const [fields, ttl] = await Promise.all([redis.hgetall(keys.hold), redis.pttl(keys.throttle)]);
      return { hold: parseHold(fields), throttledMs: Math.max(0, ttl) };
    },
    beginHold: async ({ reason, detail }, now, probeAt) =>
      (await beginScript([keys.hold], [reason, detail.toWellFormed(), now, Math.ceil(probeAt)])) === 1,
    claimProbe: async (now, lostAt) => (await claimScript([keys.hold], [now, Math.ceil(lostAt)])) === 1,
    probeFailed: async ({ reason, detail }, probeAt) => {
      await failScript([keys.hold], [reason, detail.toWellFormed(), Math.ceil(probeAt)]);
    },
    endHold: async () => (await endScript([keys.hold, keys.suspects], [])) === 1,
    throttle: async (ms) => {
      // A shorter wait, asked for by another answer, does not end a longer one.
      if ((await redis.pttl(keys.throttle)) < ms) await redis.set(keys.throttle, '', 'PX', Math.ceil(ms));
    },
    suspect: async (deviceId) => {
      await redis.sadd(keys.suspects, deviceId);
      await redis.pexpire(keys.suspects, SUSPECTED_MS);
      return redis.scard(keys.suspects);
    },
    answered: async () => {
      await redis.del(keys.suspects);
    },
    readerIsThere: async () => {
      await redis.set(keys.reader, '', 'PX', READER_SEEN_MS);
    },
    isReaderThere: async () => (await redis.exists(keys.reader)) === 1,
  };
}

function parseHold({ reason, detail = '', since, probes, probeAt }: Record<string, string>): DirectoryHold | null {
  const known = DIRECTORY_HOLD_REASONS.find((name) => name === reason);
  if (known === undefined || since === undefined) return null;
  return { reason: known, detail, since: Number(since), probes: Number(probes), probeAt: Number(probeAt) };
}
