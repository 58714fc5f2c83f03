// What Redis promises at present: does it answer, is an acknowledged write on disk, could it evict what was accepted.
import type { RedisConnection } from './redis.ts';

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

/** Beyond this share of `maxmemory` nothing new is taken: workers need room to finish what is there. */
const FULL = 0.95;
const MEMORY_EVERY_MS = 1000;

export type MemoryWatch = { isFull: () => boolean; close: () => void };

/** Watches how full Redis is, once a second; while Redis does not answer, what was last known counts. */
export function watchMemory(redis: RedisConnection): MemoryWatch {
  let full = false;
  const look = async () => {
    if (redis.status !== 'ready') return;
    full = isFull(await readMemory(redis));
  };
  const looking = setInterval(() => void look().catch(() => undefined), MEMORY_EVERY_MS);
  return { isFull: () => full, close: () => clearInterval(looking) };
}

export const isFull = (memoryUsed: number | null): boolean => memoryUsed !== null && memoryUsed >= FULL;

async function readMemory(redis: RedisConnection): Promise<number | null> {
  return toMemoryUsed(await redis.info('memory'));
}

function toMemoryUsed(info: string): number | null {
  const bytes = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const limit = bytes('maxmemory');
  return limit > 0 ? bytes('used_memory') / limit : null;
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
