// What Redis currently guarantees: whether it answers, acknowledged writes are on disk, and accepted data may be evicted.
import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';
import type { RedisConnection } from './connection.ts';
import { refusalOf } from './redis-errors.ts';
import { scriptOf } from './script.ts';

/** `always`: fsynced before the reply · `everysec`, `no`: later · `none`: no append-only file · `unknown`: not disclosed. */
export type Durability = 'always' | 'everysec' | 'no' | 'none' | 'unknown';

export type RedisHealth = {
  durability: Durability;
  /** Any policy but `noeviction` may discard accepted results when memory runs out. */
  maxmemoryPolicy: string;
  /** Used share of `maxmemory`, 0 to 1; null if there is no limit. */
  memoryUsed: number | null;
  /** Why Redis does not disclose its settings, in its words; null if it does. */
  refused: string | null;
};

/**
 * Asks Redis for its durability and eviction settings. Where CONFIG is not permitted (managed services), INFO provides only
 * some of them; without INFO most remain unknown.
 * @throws Error if Redis does not answer
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

/** The output of INFO, and why Redis refused it if our user lacks the permission. */
export async function readInfo(redis: RedisConnection): Promise<{ info: string; refused: string | null }> {
  const { value, refused } = await orRefused(redis.info());
  return { info: value ?? '', refused };
}

/** Describes what is wrong; null if a 202 guarantees what it promises. */
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

/** Reports the durability whenever a connection is ready and it has changed. */
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
  /** Null if there is no limit. */
  maxmemoryBytes: number | null;
};

/**
 * Creates a reader of a tenant's memory usage. In a cluster it uses a script, which runs on the node with the tenant's keys;
 * INFO alone might go to any node. If Redis refuses, no limit is known.
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
