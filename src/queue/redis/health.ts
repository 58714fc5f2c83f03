// What Redis promises at present: does it answer, is an acknowledged write on disk, could it evict what was accepted.
import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';
import type { RedisConnection } from './connection.ts';
import { refusalOf } from './refusals.ts';
import { scriptOf } from './script.ts';

/** `always`: fsynced before the reply · `everysec`, `no`: later · `none`: no append-only file · `unknown`: Redis does not say. */
export type Durability = 'always' | 'everysec' | 'no' | 'none' | 'unknown';

export type RedisHealth = {
  durability: Durability;
  /** Anything but `noeviction` may throw accepted results away when memory is short. */
  maxmemoryPolicy: string;
  /** How much of `maxmemory` is used, 0 to 1; null where there is no such limit. */
  memoryUsed: number | null;
  /** Why Redis does not tell, in its words; null where it does. */
  refused: string | null;
};

/**
 * Asks Redis for its durability and eviction settings. Where CONFIG is not allowed (managed services) INFO tells less, and
 * where INFO is not, less again.
 * @throws Error where Redis does not answer
 */
export async function inspectRedis(redis: RedisConnection): Promise<RedisHealth> {
  const { info, refused } = await readInfo(redis);
  const field = (name: string) => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1];
  const [fsync, policy, appendOnly] = await Promise.all(
    ['appendfsync', 'maxmemory-policy', 'appendonly'].map((name) => orRefused(redis.config('GET', name))),
  );
  const hasFile = appendOnly?.value?.[1] ?? { '1': 'yes', '0': 'no' }[field('aof_enabled') ?? ''];
  return {
    durability: hasFile === 'no' ? 'none' : hasFile === 'yes' ? toDurability(fsync?.value?.[1]) : 'unknown',
    maxmemoryPolicy: policy?.value?.[1] ?? field('maxmemory_policy') ?? 'unknown',
    memoryUsed: toMemoryUsed(info),
    refused: refused ?? fsync?.refused ?? null,
  };
}

/** What INFO says, and why Redis refused it where our user lacks the right. */
export async function readInfo(redis: RedisConnection): Promise<{ info: string; refused: string | null }> {
  const { value, refused } = await orRefused(redis.info());
  return { info: value ?? '', refused };
}

/** What is wrong with it, in words; null where a 202 means what it promises. */
export function describeWeakness({ durability, maxmemoryPolicy, refused }: RedisHealth): string | null {
  if (durability === 'unknown' && refused !== null) {
    return `durability is unknown, Redis refuses to tell (${refused}): see that it has ${AS_IT_SHOULD_BE}`;
  }
  const faults = [
    ...(durability === 'always' ? [] : [`durability is ${durability}: set appendonly yes and appendfsync always`]),
    ...(maxmemoryPolicy === 'noeviction' ? [] : [`maxmemory-policy is ${maxmemoryPolicy}: set noeviction`]),
  ];
  return faults.length === 0 ? null : faults.join('; ');
}

const AS_IT_SHOULD_BE = 'appendonly yes, appendfsync always and maxmemory-policy noeviction';

export type OnDurability = (durability: Durability, detail: string) => void;

/** Reports which durability is in force, each time a connection comes up and finds it changed. */
export function watchDurability(redis: RedisConnection, report: OnDurability): void {
  let reported = '';
  const look = async () => {
    const health = await inspectRedis(redis);
    const detail = describeWeakness(health) ?? 'a write is fsynced before it is acknowledged';
    if (detail !== reported) report(health.durability, detail);
    reported = detail;
  };
  const onReady = () => void look().catch(() => undefined);
  redis.on('ready', onReady);
  if (redis.status === 'ready') onReady();
}

export type Memory = {
  usedBytes: number;
  /** Null where there is no such limit. */
  maxmemoryBytes: number | null;
};

/**
 * Makes the reading of a tenant's memory. In a cluster a script asks: it goes to the node that has the tenant's keys, INFO
 * to any. Where Redis refuses to tell, there is no limit that is known.
 */
export function createMemoryReader(redis: RedisConnection, { root }: Pick<Keys, 'root'>): () => Promise<Memory> {
  const infoScript = scriptOf(redis, 'redis/read-memory');
  const read = () =>
    redis.isCluster ? (infoScript([`${root}:counts`], []) as Promise<string>) : (redis as Redis).info('memory');
  return async () => toMemory((await orRefused(read())).value ?? '');
}

function toMemory(info: string): Memory {
  const bytes = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return { usedBytes: bytes('used_memory'), maxmemoryBytes: bytes('maxmemory') || null };
}

function toMemoryUsed(info: string): number | null {
  const { usedBytes, maxmemoryBytes } = toMemory(info);
  return maxmemoryBytes === null ? null : usedBytes / maxmemoryBytes;
}

async function orRefused<T>(reply: Promise<T>): Promise<{ value: T | null; refused: string | null }> {
  try {
    return { value: await reply, refused: null };
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError' && refusalOf(error) === null)
      return { value: null, refused: error.message };
    throw error;
  }
}

function toDurability(fsync: string | undefined): Durability {
  return fsync === 'always' || fsync === 'everysec' || fsync === 'no' ? fsync : 'unknown';
}
