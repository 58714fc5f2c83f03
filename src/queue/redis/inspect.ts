// Examines Redis once, for a diagnosis: version, role, clock, memory, guarantees, and the duration of a write.
import { existsSync } from 'node:fs';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { RedisConfig } from '../../config/redis.ts';
import { directoryFault, socketPath } from './embedded/directory.ts';
import { describePresence } from './embedded/server-check.ts';
import { probe } from './embedded/probe.ts';
import { startEmbeddedRedis } from './embedded/embedded.ts';
import { inspectRedis, readInfo, type RedisHealth } from './health.ts';
import { createKeys } from './keys.ts';
import { scriptOf } from './script.ts';
import { connect, disconnect, waitUntilReady, type RedisConnection } from './connection.ts';
import { DEFAULT_TENANT } from '../../config/tenants/tenant.ts';

export type RedisFacts = {
  version: string;
  role: string;
  pingMs: number;
  /** One write by script, like an acceptance: how long it took, or why it failed. */
  write: { ms: number } | { error: string };
  /** How far Redis's clock is ahead of the local one; negative if it is behind. */
  clockAheadMs: number;
  usedBytes: number;
  /** Null if there is no limit. */
  maxmemoryBytes: number | null;
  /** Null if Redis does not disclose it. */
  machineBytes: number | null;
  lastLogWriteFailed: boolean;
  health: RedisHealth;
};

export type ExaminedRedis = { kind: 'facts'; facts: RedisFacts } | { kind: 'unreachable'; detail: string };

const TRIES = 5;

/** Examines the configured Redis; leaves nothing behind. */
export async function examineRedis(config: RedisConfig, clock: () => number): Promise<ExaminedRedis> {
  let trouble = 'no answer';
  const redis = connect(config, 'examine', (error) => (trouble = describe(error)));
  try {
    await waitUntilReady(redis);
    if (redis.status !== 'ready') return { kind: 'unreachable', detail: trouble };
    return { kind: 'facts', facts: await readFacts(redis, config.prefix, clock) };
  } catch (error) {
    return { kind: 'unreachable', detail: describe(error) };
  } finally {
    await disconnect(redis);
  }
}

async function readFacts(redis: RedisConnection, prefix: string, clock: () => number): Promise<RedisFacts> {
  const { info } = await readInfo(redis);
  const field = (name: string) => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1];
  const bytes = (name: string) => Number(field(name) ?? 0);
  const pingMs = await median(() => redis.ping());
  return {
    version: field('redis_version') ?? 'unknown',
    role: field('role') ?? 'unknown',
    pingMs,
    write: await tryWrite(redis, prefix),
    clockAheadMs: await readClock(redis, clock),
    usedBytes: bytes('used_memory'),
    maxmemoryBytes: bytes('maxmemory') || null,
    machineBytes: bytes('total_system_memory') || null,
    lastLogWriteFailed: field('aof_last_write_status') === 'err',
    health: await inspectRedis(redis),
  };
}

async function tryWrite(redis: RedisConnection, prefix: string): Promise<RedisFacts['write']> {
  const key = `${createKeys(prefix, DEFAULT_TENANT).root}:doctor`;
  const script = scriptOf(redis, 'redis/try-write');
  try {
    return { ms: await median(() => script([key], [])) };
  } catch (error) {
    return { error: describe(error) };
  }
}

/** Compares Redis's clock with the midpoint between request and response. */
async function readClock(redis: RedisConnection, clock: () => number): Promise<number> {
  const askedAt = clock();
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1000 + Number(micros) / 1000 - (askedAt + clock()) / 2;
}

async function median(request: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let index = 0; index < TRIES; index++) {
    const startedAt = performance.now();
    await request();
    took.push(performance.now() - startedAt);
  }
  return took.sort((a, b) => a - b)[Math.floor(TRIES / 2)] ?? 0;
}

/** Only the message, since ioredis attaches the command to its errors. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  if (error.message !== '') return error.message;
  const { code } = error as NodeJS.ErrnoException;
  return code ?? error.name;
}

export type EmbeddedDirectory = {
  /** What the running server is waiting for; null if none runs, or it answers. */
  waitingFor: string | null;
  /** Why no server could be started there. */
  fault: string | null;
};

/** What an embedded Redis would find in a directory; changes nothing. */
export async function examineDirectory(directory: string): Promise<EmbeddedDirectory> {
  if (!(await isWritable(directory))) return { waitingFor: null, fault: 'cannot be written to' };
  if (!existsSync(directory)) return { waitingFor: null, fault: null };
  const presence = await probe(socketPath(directory));
  return {
    waitingFor: presence.kind === 'nobody' ? null : describePresence(presence),
    fault: directoryFault(directory),
  };
}

/**
 * Tests whether an embedded Redis can start, by briefly starting one in another directory.
 * @throws CannotStart if it does not come up
 */
export async function tryEmbedded(clock: () => number): Promise<{ startMs: number; examined: ExaminedRedis }> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-doctor-'));
  try {
    const startedAt = performance.now();
    const embedded = await startEmbeddedRedis(directory);
    try {
      const startMs = performance.now() - startedAt;
      return { startMs, examined: await examineRedis({ kind: 'embedded', directory, prefix: 'doctor' }, clock) };
    } finally {
      await embedded.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Whether a directory, or its nearest existing ancestor, is writable. */
export async function isWritable(directory: string): Promise<boolean> {
  const path = resolve(directory);
  try {
    await access(path, constants.W_OK);
    return true;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return missing && dirname(path) !== path && isWritable(dirname(path));
  }
}
