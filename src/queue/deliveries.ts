// Deliveries in Redis: accept each run once, find, save by compare-and-set, count. The record is the truth; a BullMQ job only wakes a worker.
import type { Queue } from 'bullmq';
import { createDelivery, fingerprint, isTerminal, STATUSES } from '../domain/delivery.ts';
import type { Delivery, Status } from '../domain/delivery.ts';
import type { RunResult } from '../domain/run-result.ts';
import type { Keys } from './keys.ts';
import type { RedisConnection } from './redis.ts';
import { defineScript } from './script.ts';

export type Accepted =
  { kind: 'accepted'; delivery: Delivery } | { kind: 'duplicate'; delivery: Delivery } | { kind: 'conflict' };

/** A delivery as stored: its run result while it is needed, and the revision a save must name. */
export type Stored = { delivery: Delivery; run: RunResult | null; rev: number };

/**
 * `saved` · `stale`: somebody else changed it since · `gone`: there is no such delivery ·
 * `claimed`: the record in Graph belongs to another delivery.
 */
export type Saved = { kind: 'saved'; stored: Stored } | { kind: 'stale' | 'gone' | 'claimed' };

export type Counts = Record<Status, number>;

export type Deliveries = {
  /** Stores a run and wakes a worker; resolved, it is as durable as Redis is. Safe to repeat and to race. */
  accept: (run: RunResult, now: number) => Promise<Accepted>;
  find: (id: string) => Promise<Delivery | null>;
  load: (id: string) => Promise<Stored | null>;
  save: (stored: Stored, next: Delivery, now: number) => Promise<Saved>;
  /** Of these records in Graph, those no other delivery has claimed. */
  unclaimed: (deviceRunStateIds: readonly string[], id: string) => Promise<string[]>;
  /** Puts a job in the queue for it, unless there is one. */
  wake: (id: string) => Promise<void>;
  /** Jobs a worker could fetch now. */
  countFetchable: () => Promise<number>;
  counts: () => Promise<Counts>;
  /** When the oldest delivery that has not ended was accepted; null where none is open. */
  oldestOpenAt: () => Promise<number | null>;
  /** Wakes workers for open deliveries without a job, one slice per call. @returns how many had none */
  sweep: (now: number) => Promise<number>;
};

const ACCEPT = `
local known = redis.call('HMGET', KEYS[1], 'content', 'life')
if known[1] then
  if known[1] ~= ARGV[1] then return {'conflict'} end
  return {'duplicate', known[2]}
end
redis.call('HSET', KEYS[1], 'rev', 0, 'status', 'queued', 'content', ARGV[1], 'life', ARGV[2], 'run', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[5])
redis.call('HINCRBY', KEYS[3], 'queued', 1)
return {'accepted'}`;

const SAVE = `
local known = redis.call('HMGET', KEYS[1], 'rev', 'status')
if not known[1] then return 'gone' end
if known[1] ~= ARGV[1] then return 'stale' end
local from, to, id = known[2], ARGV[2], ARGV[4]
if KEYS[5] then
  local owner = redis.call('GET', KEYS[5])
  if owner and owner ~= id then return 'claimed' end
  redis.call('SET', KEYS[5], id, 'PX', ARGV[6])
end
redis.call('HSET', KEYS[1], 'rev', ARGV[1] + 1, 'status', to, 'life', ARGV[3])
if from == to then return 'saved' end
redis.call('HINCRBY', KEYS[4], from, -1)
redis.call('HINCRBY', KEYS[4], to, 1)
if to == 'delivered' or to == 'superseded' then
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[1], 'run')
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
elseif to == 'dead' then
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZADD', KEYS[3], ARGV[5], id)
elseif from == 'dead' then
  redis.call('ZREM', KEYS[3], id)
  redis.call('ZADD', KEYS[2], ARGV[7], id)
end
return 'saved'`;

/** How many open deliveries one sweep looks at, and how old one must be to be missed. */
const SWEEP_SLICE = 1000;
const SWEEP_AGE_MS = 15_000;

/**
 * The deliveries of one tenant.
 * @param dedupeWindowMs how long a run is remembered after it ended in Graph
 */
export function createDeliveries(
  redis: RedisConnection,
  queue: Queue,
  keys: Keys,
  tenantId: string,
  dedupeWindowMs: number,
): Deliveries {
  const acceptScript = defineScript(redis, 'acceptDelivery', ACCEPT);
  const saveScript = defineScript(redis, 'saveDelivery', SAVE);
  let swept = 0;

  async function wake(id: string): Promise<void> {
    await queue.add('deliver', {}, { jobId: id });
  }

  async function accept(run: RunResult, now: number): Promise<Accepted> {
    const delivery = createDelivery(tenantId, run, now);
    const [kind, life] = (await acceptScript(
      [keys.delivery(delivery.id), keys.open, keys.counts],
      [fingerprint(run), JSON.stringify(delivery), JSON.stringify(run), now, delivery.id],
    )) as ['accepted' | 'duplicate' | 'conflict', string?];
    if (kind === 'conflict') return { kind };
    const known = life === undefined ? delivery : (JSON.parse(life) as Delivery);
    // Also for a duplicate: whoever stored the first copy may have died before it woke a worker.
    // It is stored, which is what counts: where waking fails, the sweep does it.
    if (!isTerminal(known.status)) await wake(known.id).catch(() => undefined);
    return { kind, delivery: known };
  }

  async function load(id: string): Promise<Stored | null> {
    const [life, run, rev] = await redis.hmget(keys.delivery(id), 'life', 'run', 'rev');
    if (typeof life !== 'string') return null;
    return {
      delivery: JSON.parse(life) as Delivery,
      run: typeof run === 'string' ? (JSON.parse(run) as RunResult) : null,
      rev: Number(rev),
    };
  }

  async function save(stored: Stored, next: Delivery, now: number): Promise<Saved> {
    const claim = next.deviceRunStateId === null ? [] : [keys.record(next.deviceRunStateId)];
    const kind = (await saveScript(
      [keys.delivery(next.id), keys.open, keys.dead, keys.counts, ...claim],
      [stored.rev, next.status, JSON.stringify(next), next.id, now, dedupeWindowMs, next.acceptedAt],
    )) as Saved['kind'];
    return kind === 'saved' ? { kind, stored: { ...stored, delivery: next, rev: stored.rev + 1 } } : { kind };
  }

  async function sweep(now: number): Promise<number> {
    const ids = await redis.zrangebyscore(keys.open, 0, now - SWEEP_AGE_MS, 'LIMIT', swept, SWEEP_SLICE);
    swept = ids.length < SWEEP_SLICE ? 0 : swept + SWEEP_SLICE;
    const present = await Promise.all(ids.map((id) => redis.exists(queue.toKey(id))));
    const missed = ids.filter((_, index) => present[index] === 0);
    for (const id of missed) await wake(id);
    return missed.length;
  }

  return {
    accept,
    load,
    save,
    sweep,
    wake,
    find: async (id) => (await load(id))?.delivery ?? null,
    unclaimed: async (deviceRunStateIds, id) => {
      if (deviceRunStateIds.length === 0) return [];
      const owners = await redis.mget(deviceRunStateIds.map((recordId) => keys.record(recordId)));
      return deviceRunStateIds.filter((_, index) => owners[index] === null || owners[index] === id);
    },
    countFetchable: () => queue.getWaitingCount(),
    counts: async () => {
      const counts = await redis.hgetall(keys.counts);
      return Object.fromEntries(STATUSES.map((status) => [status, Number(counts[status] ?? 0)])) as Counts;
    },
    oldestOpenAt: async () => {
      const [, score] = await redis.zrange(keys.open, '0', '0', 'WITHSCORES');
      return score === undefined ? null : Number(score);
    },
  };
}
