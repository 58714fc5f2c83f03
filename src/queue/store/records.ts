// The records of deliveries: found, saved by compare-and-set, counted. A record is the truth; a BullMQ job only wakes a worker.
import { isDeliveryId, isReplaceable, isTerminal, STATUSES, supersede } from '../../domain/delivery.ts';
import type { Delivery, Status } from '../../domain/delivery.ts';
import { toContestant, type Contestant } from '../../domain/order.ts';
import { toText, type RunResult } from '../../domain/submission/run-result.ts';
import { CONTEST_LUA, ENDING_LUA, NEWER_LUA } from './supersession.ts';
import type { Keys } from '../redis/keys.ts';
import { defineLineScript, type Line } from './waiting-list.ts';
import { HEADER_LUA, LETTERS, parseRecord, toBody, type Stored } from './record.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { defineQuery } from '../redis/script.ts';
import { NotOpened, type Seal } from './payload-cipher.ts';

/**
 * `saved` · `stale`: somebody else changed it since · `gone`: there is no such delivery ·
 * `claimed`: the record in Graph belongs to another delivery.
 */
export type Saved = { kind: 'saved'; stored: Stored } | { kind: 'stale' | 'gone' | 'claimed' };

export type Counts = Record<Status, number>;

export type Records = {
  find: (id: string) => Promise<Delivery | null>;
  load: (id: string) => Promise<Stored | null>;
  /** @param takeFrom the delivery whose record in Graph this one may claim all the same */
  save: (stored: Stored, next: Delivery, now: number, takeFrom?: string) => Promise<Saved>;
  /** Ends the older of two in favour of the newer, unless it may be in Graph already. */
  replace: (older: string, newer: string, now: number) => Promise<Saved['kind']>;
  /** A delivery of the same device and configuration whose run was completed later, open or created; null where there is none. */
  findNewer: (delivery: Delivery, run: RunResult) => Promise<string | null>;
  /** What is in work without a record, since somebody removed that, is in work no more. */
  forget: (id: string) => Promise<void>;
  /** Which delivery has claimed a record in Graph; null where none has. */
  findOwner: (deviceRunStateId: string) => Promise<string | null>;
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

/** The own arguments, in order: revision expected, letter, body, id, now, window, how long to wait, who supersedes it, contest, instant, whose claim it takes. */
const SAVE = `${HEADER_LUA}
${CONTEST_LUA}
${ENDING_LUA}
local RECORD, DEAD, ENDED, CLAIM = unpack(KEYS, OWN_KEYS + 1)
local expected, to, body, id, now, window, waitMs, newer, contest, instant, takeFrom = unpack(ARGV, OWN_ARGS + 1)
contest = contest ~= '' and ROOT .. ':c:' .. contest or nil
local known = redis.call('GET', RECORD)
if not known then return 'gone', false end
local rev, from, at, rank, number, identity, configuration = header(known)
if rev ~= expected then return 'stale', false end
local newerLetter = newer ~= '' and letterOf(newer) or nil
if newer ~= '' and not stands(newerLetter) then return 'stale', false end
if CLAIM then
  local owner = redis.call('GET', CLAIM)
  if owner and owner ~= id and owner ~= takeFrom then return 'claimed', false end
  redis.call('SET', CLAIM, id, 'PX', window)
end
local isNew = from ~= to
if isNew and from == '${LETTERS.dead}' then
  number = redis.call('HINCRBY', COUNTS, 'joined:' .. rank, 1)
  redis.call('RPUSH', line(rank), id)
  redis.call('ZREM', DEAD, id)
end
-- Whoever is under way is in work, also one that a worker took up again before the line had its turn.
if to == '${LETTERS.delivering}' then
  redis.call('ZADD', IN_WORK, at, id)
  redis.call('SREM', RETRYING, id)
end
putOff(id, tonumber(waitMs))
local head = {rev + 1, to, at, rank, number, identity, configuration ~= '' and configuration or nil}
local record = table.concat(head, ' ') .. '\\n' .. body
-- One that may come back is kept as whole as one that is open.
local function weight(letter, record)
  local isWhole = isOpen(letter) or (letter == '${LETTERS.superseded}' and string.sub(record, -1) ~= '\\n')
  return isWhole and #record or 0
end
redis.call('HINCRBY', COUNTS, 'bytes', weight(to, record) - weight(from, known))
if to == '${LETTERS.delivered}' then redis.call('SET', RECORD, record, 'PX', window) else redis.call('SET', RECORD, record) end
if contest and isOpen(to) and isNew and from == '${LETTERS.dead}' then join(contest, instant, id) end
if contest and to == '${LETTERS.superseded}' then
  join(contest, instant, id)
  if newerLetter == '${LETTERS.delivered}' then endForGood(contest, instant, id, window) else keepFew(contest, window) end
  expire(contest, window)
end
if not isNew then return 'saved' end
redis.call('HINCRBY', COUNTS, STATUS[from], -1)
redis.call('HINCRBY', COUNTS, STATUS[to], 1)
if isOpen(to) then return 'saved' end
leave(id, configuration)
redis.call('LPUSH', ENDED, id)
redis.call('LTRIM', ENDED, 0, ${ENDED_REMEMBERED - 1})
if to == '${LETTERS.dead}' then redis.call('ZADD', DEAD, now, id) end
if contest and to == '${LETTERS.delivered}' then created(contest, instant, id, window) end
local heir = contest and to == '${LETTERS.dead}' and died(contest, instant, id, window)
return heir and {'saved', heir} or 'saved'`;

const FORGET = `
if redis.call('EXISTS', KEYS[OWN_KEYS + 1]) == 0 then leave(ARGV[OWN_ARGS + 1], '') end
return 0, false`;

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
  const newerQuery = defineQuery(redis, 'findNewer', NEWER_LUA);
  const forgetScript = defineLineScript(redis, line, 'forgetDelivery', FORGET);

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

  async function save(stored: Stored, next: Delivery, now: number, takeFrom = ''): Promise<Saved> {
    const claim = next.deviceRunStateId === null ? [] : [keys.record(next.deviceRunStateId)];
    const body = toBody(next, stored.run && toText(stored.run), seal);
    const contestant = stored.run && toContestant(stored.run, next.acceptedAt);
    // Two instants of one clock: what is between them holds on any other.
    const waitMs = next.status === 'waiting' ? Math.max(0, next.dueAt - now) : 0;
    const newer = next.status === 'superseded' ? (next.supersededBy ?? '') : '';
    const [kind, heir] = toReply(
      await saveScript(
        [keys.delivery(next.id), keys.dead, keys.ended, ...claim],
        [
          stored.rev,
          LETTERS[next.status],
          body,
          next.id,
          now,
          dedupeWindowMs,
          waitMs,
          newer,
          contestant?.contest ?? '',
          contestant?.instant ?? '',
          takeFrom,
        ],
      ),
    );
    if (heir !== null && contestant) await pointTo(heir, next.id, contestant, now).catch(() => undefined);
    return kind === 'saved' ? { kind, stored: { ...stored, delivery: next, rev: stored.rev + 1 } } : { kind };
  }

  /** Those that point to one that died point to its heir from now on. Where this fails, they tell of a dead one; no more. */
  async function pointTo(heir: string, dead: string, { contest, instant }: Contestant, now: number): Promise<void> {
    const rivals = await redis.zrangebylex(keys.contest(contest), '-', `(${instant}`);
    for (const id of rivals.map((member) => member.split(' ')[1] ?? '')) {
      const rival = id === heir ? null : await load(id);
      if (rival?.delivery.status !== 'superseded' || rival.delivery.supersededBy !== dead) continue;
      await save(rival, supersede(rival.delivery, heir), now);
    }
  }

  async function latest(limit: number): Promise<Delivery[]> {
    const ids = await redis.lrange(keys.ended, 0, limit - 1);
    if (ids.length === 0) return [];
    const records = await redis.mget(ids.map(keys.delivery));
    const ended = ids.flatMap((id, index) => parseReadable(id, records[index] ?? null)?.delivery ?? []);
    // One that came back may have ended twice, or not again yet.
    return ended.filter(({ id, status }, index) => isTerminal(status) && ids.indexOf(id) === index);
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
      const contestant = toContestant(run, delivery.acceptedAt);
      if (!contestant) return null;
      return (await newerQuery([keys.contest(contestant.contest)], [keys.root, contestant.instant])) as string | null;
    },
    forget: async (id) => {
      await forgetScript([keys.delivery(id)], [id]);
    },
    findOwner: (deviceRunStateId) => redis.get(keys.record(deviceRunStateId)),
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

/** A save is told of by its kind, and with whoever stands in place of one that died. */
function toReply(reply: unknown): [kind: Saved['kind'], heir: string | null] {
  return Array.isArray(reply) ? (reply as ['saved', string]) : [reply as Saved['kind'], null];
}
