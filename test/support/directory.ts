// A device directory for tests: Redis's side as a process opens it, and a scripted directory behind it.
import { createPublicKey, randomUUID, X509Certificate } from 'node:crypto';
import type { DirectoryAnswer } from '../../src/domain/directory/directory-answer.ts';
import { toKeyDigest } from '../../src/domain/directory/directory-device.ts';
import { toDirectoryKey } from '../../src/domain/directory/directory-key.ts';
import type { DirectoryEvents } from '../../src/queue/directory/directory-events.ts';
import { openDirectory, type Directory } from '../../src/queue/directory/directory.ts';
import { openRedis } from '../../src/queue/redis/open-redis.ts';
import { createKeys } from '../../src/queue/redis/keys.ts';
import type { TestRedis } from './redis.ts';

export const HOUR_MS = 3_600_000;

export type TestDirectory = Directory & {
  /** Names of reported events, in order. */
  reported: string[];
  /** Starts to answer questions by `find`, given an id and how often it was asked about. */
  read: (find: (deviceId: string, times: number) => DirectoryAnswer | Promise<DirectoryAnswer>) => void;
  /** How often each device was asked about. */
  asked: Map<string, number>;
};

type Wishes = { clock?: () => number; maxAgeMs?: number; requirement?: 'managed' | 'enabled' };

/** Opens the directory of the tenant `default` with a connection of its own. */
export async function openTestDirectory(
  { config }: Pick<TestRedis, 'config'>,
  { clock = Date.now, maxAgeMs = 24 * HOUR_MS, requirement = 'managed' }: Wishes = {},
): Promise<TestDirectory> {
  const ignore = () => undefined;
  const redis = await openRedis(config, 'work', { redisTrouble: ignore, waitingForRedis: ignore, durability: ignore });
  const keys = createKeys(redis.prefix, 'default');
  const tenant = {
    redis: redis.connection,
    keys,
    clock: { now: clock, latest: clock },
    wakeReader: () => Promise.resolve(),
  };
  const directory = openDirectory(tenant, { requirement, maxAgeMs }, ignore);
  const reported: string[] = [];
  const asked = new Map<string, number>();
  const closing: (() => Promise<void>)[] = [];
  const report = (name: string) => () => void reported.push(name);
  const events: DirectoryEvents = {
    directoryAsked: (outcome) => void reported.push(outcome),
    directoryThrottled: report('throttled for a while'),
    directoryHeld: ({ reason }) => void reported.push(`held: ${reason}`),
    directoryProbeFailed: report('probe failed'),
    directoryReleased: report('released'),
    directoryQuestionDropped: report('dropped'),
    redisTrouble: ignore,
    defect: (error) => {
      throw error;
    },
  };
  return {
    ...directory,
    reported,
    asked,
    read: (find) => {
      const reader = directory.startReader({
        find: async (deviceId) => {
          const times = (asked.get(deviceId) ?? 0) + 1;
          asked.set(deviceId, times);
          return find(deviceId, times);
        },
        events,
        random: Math.random,
      });
      reader.wake();
      closing.push(reader.close);
    },
    close: async () => {
      for (const close of closing) await close();
      await directory.close();
      await redis.close();
    },
  };
}

/** A device id with the text its certificate would have; the key is made up. */
export function aDevice(): { deviceId: string; key: string } {
  const key = toDirectoryKey(Buffer.from(randomUUID()), Buffer.from(randomUUID()));
  return { deviceId: randomUUID(), key };
}

export function found(key: string, changes: { isEnabled?: boolean; isManaged?: boolean } = {}): DirectoryAnswer {
  return {
    kind: 'found',
    device: { isEnabled: true, isManaged: true, keys: [toKeyDigest(key)], ...changes },
    pauseMs: 0,
  };
}

export const NOT_FOUND_ANSWER: DirectoryAnswer = { kind: 'not-found', pauseMs: 0 };

/** The text by which the directory names the key of a certificate. @param pem of an RSA certificate */
export function directoryKeyOf(pem: string): string {
  const certificate = new X509Certificate(pem);
  const publicKey = createPublicKey(certificate.publicKey.export({ type: 'spki', format: 'pem' }));
  return toDirectoryKey(certificate.raw, publicKey.export({ type: 'pkcs1', format: 'der' }));
}
