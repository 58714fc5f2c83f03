// What Redis promises at present: does it answer, is an acknowledged write on disk, could it evict what was accepted.
import type { Keys } from './keys.ts';
import type { RedisConnection } from './redis.ts';
import { defineQuery } from './script.ts';

/** `always`: fsynced before the reply · `everysec`, `no`: later · `none`: no append-only file · `unknown`: Redis does not say. */
export type Durability = 'always' | 'everysec' | 'no' | 'none' | 'unknown';

export type RedisHealth = {
  durability: Durability;
  /** Anything but `noeviction` may throw accepted results away when memory is short. */
  maxmemoryPolicy: string;
  /** How much of `maxmemory` is used, 0 to 1; null where there is no such limit. */
  memoryUsed: number | null;
};

/**
 * Asks Redis for its durability and eviction settings. Where CONFIG is not allowed (managed services) INFO tells less.
 * @throws Error where Redis does not answer
 */
export async function inspectRedis(redis: RedisConnection): Promise<RedisHealth> {
  const info = await redis.info();
  const field = (name: string) => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1];
  const [fsync] = await config(redis, 'appendfsync');
  const [policy] = await config(redis, 'maxmemory-policy');
  return {
    durability: field('aof_enabled') === '1' ? toDurability(fsync) : 'none',
    maxmemoryPolicy: policy ?? field('maxmemory_policy') ?? 'unknown',
    memoryUsed: toMemoryUsed(info),
  };
}

/** What is wrong with it, in words; null where a 202 means what it promises. */
export function describeWeakness({ durability, maxmemoryPolicy }: RedisHealth): string | null {
  const faults = [
    ...(durability === 'always' ? [] : [`durability is ${durability}: set appendonly yes and appendfsync always`]),
    ...(maxmemoryPolicy === 'noeviction' ? [] : [`maxmemory-policy is ${maxmemoryPolicy}: set noeviction`]),
  ];
  return faults.length === 0 ? null : faults.join('; ');
}

/**
 * Tells which durability is in force each time a connection comes up and finds it changed.
 */
export function watchDurability(redis: RedisConnection, tell: (durability: Durability, detail: string) => void): void {
  let told = '';
  const look = async () => {
    const health = await inspectRedis(redis);
    const detail = describeWeakness(health) ?? 'a write is fsynced before it is acknowledged';
    if (detail !== told) tell(health.durability, detail);
    told = detail;
  };
  const onReady = () => void look().catch(() => undefined);
  redis.on('ready', onReady);
  if (redis.status === 'ready') onReady();
}

/** Beyond this share of `maxmemory` nothing at all is taken: workers need room to finish what is there. */
const FULL = 0.95;

export const isFull = (memoryUsed: number | null): boolean => memoryUsed !== null && memoryUsed >= FULL;

export type Memory = {
  usedBytes: number;
  /** Null where there is no such limit. */
  maxmemoryBytes: number | null;
};

/** Makes the reading of a tenant's memory. A script asks: it goes to the node that has the tenant's keys, INFO to any. */
export function createMemoryReader(redis: RedisConnection, { root }: Pick<Keys, 'root'>): () => Promise<Memory> {
  const infoScript = defineQuery(redis, 'readMemory', "return redis.call('INFO', 'memory')");
  return async () => toMemory(String(await infoScript([`${root}:counts`], [])));
}

function toMemory(info: string): Memory {
  const bytes = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return { usedBytes: bytes('used_memory'), maxmemoryBytes: bytes('maxmemory') || null };
}

function toMemoryUsed(info: string): number | null {
  const { usedBytes, maxmemoryBytes } = toMemory(info);
  return maxmemoryBytes === null ? null : usedBytes / maxmemoryBytes;
}

async function config(redis: RedisConnection, name: string): Promise<string[]> {
  try {
    const reply = await redis.config('GET', name);
    return reply[1] === undefined ? [] : [reply[1]];
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return [];
    throw error;
  }
}

function toDurability(fsync: string | undefined): Durability {
  return fsync === 'always' || fsync === 'everysec' || fsync === 'no' ? fsync : 'unknown';
}
