// The records of deliveries: found, saved by compare-and-set, counted. A record is the truth; a BullMQ job only wakes a worker.
import { isDeliveryId, isReplaceable, STATUSES, supersede } from '../domain/delivery.ts';
import type { Delivery, Status } from '../domain/delivery.ts';
import { contestOf, sortableInstant } from '../domain/order.ts';
import { toText, type RunResult } from '../domain/run-result.ts';
import type { Keys } from './keys.ts';
import { defineLineScript, type Line } from './line.ts';
import { HEADER_LUA, LETTERS, parseRecord, toBody, type Stored } from './record.ts';
import type { RedisConnection } from './redis.ts';
import { defineQuery } from './script.ts';
import { NotOpened, type Seal } from './sealed.ts';

/**
 * `saved` · `stale`: somebody else changed it since · `gone`: there is no such delivery ·
 * `claimed`: the record in Graph belongs to another delivery.
 */
export type Saved = { kind: 'saved'; stored: Stored } | { kind: 'stale' | 'gone' | 'claimed' };

export type Counts = Record<Status, number>;

export type Records = {
  find: (id: string) => Promise<Delivery | null>;
  load: (id: string) => Promise<Stored | null>;
  save: (stored: Stored, next: Delivery, now: number) => Promise<Saved>;
  /** Ends the older of two in favour of the newer, unless it may be in Graph already. */
  replace: (older: string, newer: string, now: number) => Promise<Saved['kind']>;
  /** A delivery of the same device and configuration whose run was completed later, open or created; null where there is none. */
  findNewer: (delivery: Delivery, run: RunResult) => Promise<string | null>;
  /** What is in work without a record, since somebody removed that, is in work no more. */
  forget: (id: string) => Promise<void>;
  /** Of these records in Graph, those no other delivery has claimed. */
  unclaimed: (deviceRunStateIds: readonly string[], id: string) => Promise<string[]>;
  counts: () => Promise<Counts>;
  /** Bytes that the records of open deliveries take, without Redis's own share. */
  openBytes: () => Promise<number>;
  /** Those that ended latest, newest first; a hundred are remembered. */
  latest: (limit: number) => Promise<Delivery[]>;
};

export type RecordSettings = {
  /** How long a run is remembered after it ended in Graph. */
  dedupeWindowMs: number;
  /** Whether a newer result of a device and configuration makes older ones superfluous. */
  supersede: boolean;
};

/** So many of the deliveries that ended are remembered by id, for whoever wants to look at some. */
const ENDED_REMEMBERED = 100;

const SAVE = `${HEADER_LUA}
local RECORD, DEAD, ENDED, NEWEST, CLAIM = unpack(KEYS, OWN_KEYS + 1)
local expected, to, body, id, now, window, instant, waitMs = unpack(ARGV, OWN_ARGS + 1)
local known = redis.call('GET', RECORD)
if not known then return 'gone', false end
local rev, from, at, rank, number, identity = header(known)
if rev ~= expected then return 'stale', false end
if CLAIM then
  local owner = redis.call('GET', CLAIM)
  if owner and owner ~= id then return 'claimed', false end
  redis.call('SET', CLAIM, id, 'PX', window)
end
local isNew = from ~= to
if isNew and from == '${LETTERS.dead}' then
  number = redis.call('HINCRBY', COUNTS, 'joined:' .. rank, 1)
  redis.call('RPUSH', line(rank), id)
  redis.call('ZREM', DEAD, id)
  local newest = redis.call('GET', NEWEST)
  if instant ~= '' and (not newest or instant > string.match(newest, '^%d+')) then
    redis.call('SET', NEWEST, instant .. ' ' .. id)
  end
end
-- Whoever is under way is in work, also one that a worker took up again before the line had its turn.
if to == '${LETTERS.delivering}' then redis.call('ZADD', IN_WORK, at, id) end
putOff(id, tonumber(waitMs))
local record = table.concat({rev + 1, to, at, rank, number, identity}, ' ') .. '\\n' .. body
local function isOpen(letter) return string.find('${LETTERS.queued}${LETTERS.delivering}${LETTERS.waiting}', letter, 1, true) end
local bytes = (isOpen(to) and #record or 0) - (isOpen(from) and #known or 0)
redis.call('HINCRBY', COUNTS, 'bytes', bytes)
local remembered = to == '${LETTERS.delivered}' or to == '${LETTERS.superseded}'
if remembered then redis.call('SET', RECORD, record, 'PX', window) else redis.call('SET', RECORD, record) end
if not isNew then return 'saved' end
redis.call('HINCRBY', COUNTS, STATUS[from], -1)
redis.call('HINCRBY', COUNTS, STATUS[to], 1)
if isOpen(to) then return 'saved' end
redis.call('ZREM', IN_WORK, id)
redis.call('LPUSH', ENDED, id)
redis.call('LTRIM', ENDED, 0, ${ENDED_REMEMBERED - 1})
if to == '${LETTERS.dead}' then redis.call('ZADD', DEAD, now, id) end
local newest = redis.call('GET', NEWEST)
if newest and string.find(newest, id, 1, true) then
  -- What was created still stands for older ones that come late; a dead one stands for nothing.
  if to == '${LETTERS.delivered}' then redis.call('PEXPIRE', NEWEST, window) else redis.call('DEL', NEWEST) end
end
return 'saved'`;

const FORGET = `
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
end`;

/**
 * The records of one tenant.
 */
export function createRecords(
  redis: RedisConnection,
  line: Line,
  keys: Keys,
  tenantId: string,
  seal: Seal,
  { dedupeWindowMs, supersede: supersedes }: RecordSettings,
): Records {
  const saveScript = defineLineScript(redis, line, 'saveDelivery', SAVE);
  const forgetScript = defineQuery(redis, 'forgetDelivery', FORGET);

  const parse = (id: string, record: string | null): Stored | null => {
    if (record === null) return null;
    const { delivery, run, rev } = parseRecord(id, tenantId, record, seal);
    return { delivery, run, rev };
  };

  /** Null also for one that is sealed by a key that is not known here. */
  const parseReadable = (id: string, record: string | null): Stored | null => {
    try {
      return parse(id, record);
    } catch (error) {
      if (error instanceof NotOpened) return null;
      throw error;
    }
  };

  const load = async (id: string) => (isDeliveryId(id) ? parse(id, await redis.get(keys.delivery(id))) : null);

  async function save(stored: Stored, next: Delivery, now: number): Promise<Saved> {
    const claim = next.deviceRunStateId === null ? [] : [keys.record(next.deviceRunStateId)];
    const body = toBody(next, stored.run && toText(stored.run), seal);
    const instant = supersedes && stored.run ? sortableInstant(stored.run) : '';
    // Two instants of one clock: what is between them holds on any other.
    const waitMs = next.status === 'waiting' ? Math.max(0, next.dueAt - now) : 0;
    const kind = (await saveScript(
      [keys.delivery(next.id), keys.dead, keys.ended, keys.newest(contestOf(next)), ...claim],
      [stored.rev, LETTERS[next.status], body, next.id, now, dedupeWindowMs, instant, waitMs],
    )) as Saved['kind'];
    return kind === 'saved' ? { kind, stored: { ...stored, delivery: next, rev: stored.rev + 1 } } : { kind };
  }

  async function latest(limit: number): Promise<Delivery[]> {
    const ids = await redis.lrange(keys.ended, 0, limit - 1);
    if (ids.length === 0) return [];
    const records = await redis.mget(ids.map(keys.delivery));
    return ids.flatMap((id, index) => parseReadable(id, records[index] ?? null)?.delivery ?? []);
  }

  return {
    load,
    save,
    latest,
    find: async (id) => (await load(id))?.delivery ?? null,
    replace: async (older, newer, now) => {
      const stored = await load(older);
      if (!stored) return 'gone';
      if (!isReplaceable(stored.delivery)) return 'stale';
      return (await save(stored, supersede(stored.delivery, newer), now)).kind;
    },
    findNewer: async (delivery, run) => {
      if (!supersedes) return null;
      const [instant = '', id = ''] = (await redis.get(keys.newest(contestOf(delivery))))?.split(' ') ?? [];
      if (id === '' || id === delivery.id || instant <= sortableInstant(run)) return null;
      const rival = await load(id);
      return rival && rival.delivery.status !== 'dead' ? id : null;
    },
    forget: async (id) => {
      await forgetScript([keys.delivery(id), keys.inWork, keys.putOff], [id]);
    },
    unclaimed: async (deviceRunStateIds, id) => {
      if (deviceRunStateIds.length === 0) return [];
      const owners = await redis.mget(deviceRunStateIds.map((recordId) => keys.record(recordId)));
      return deviceRunStateIds.filter((_, index) => owners[index] === null || owners[index] === id);
    },
    counts: async () => {
      const counts = await redis.hmget(keys.counts, ...STATUSES);
      return Object.fromEntries(STATUSES.map((status, index) => [status, Number(counts[index] ?? 0)])) as Counts;
    },
    openBytes: async () => Number((await redis.hget(keys.counts, 'bytes')) ?? 0),
  };
}
