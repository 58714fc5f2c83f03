// Who is next: new ones in line by rank, retries, probes of held configurations; only a few at a time have a BullMQ job.
import type { Queue } from 'bullmq';
import type { HoldKey } from '../../domain/hold/hold.ts';
import { PASSED_OVER_AT_MOST, RANKS } from '../../domain/order.ts';
import { HOLD_LUA } from '../budget/hold-scripts.ts';
import type { Keys } from '../redis/keys.ts';
import { HEADER_BYTES, LETTERS } from './record.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { defineScript } from '../redis/script.ts';

/** `nextInMs`: when the next retry or probe is due; null where none waits for its time. */
export type Promoted = { count: number; nextInMs: number | null };

export type Line = {
  /** Keys and arguments a script needs that holds LINE_LUA, before its own. */
  keys: readonly string[];
  args: readonly (string | number)[];
  /** Gives jobs to the next: probes of held configurations, retries that are due, and new ones in line, as there is room. */
  promote: () => Promise<Promoted>;
  /** The same. @returns how many */
  feed: () => Promise<number>;
  /** Gives jobs to deliveries; one that has a job keeps it. */
  wake: (ids: readonly string[]) => Promise<void>;
  /** Gives a job to one in work that has none, unless it is put off. */
  wakeIfDue: (id: string) => Promise<void>;
  /** Gives a delivery in work its job so much later. */
  putOff: (id: string, waitMs: number) => Promise<void>;
  /** How long a delivery has to wait for its next attempt, on Redis's clock. */
  waitMs: (id: string) => Promise<number>;
  /** One that gives its job up is kept out of the way while its configuration is held; else it is tried again at once. */
  park: (id: string, heldBy: HoldKey) => Promise<void>;
  /** Gives jobs to those in work that have lost theirs, one slice per call. @returns how many had none */
  sweep: (now: number) => Promise<number>;
  /** When the oldest that has not ended was accepted, also without those that are parked; null where there is none. */
  oldestOpen: () => Promise<{ at: number | null; notParkedAt: number | null }>;
};

/** A script with the line in it begins with these keys and arguments. */
const LINE_KEYS = 8 + RANKS.length;
const LINE_ARGS = 3;

/** Those that ended in line, or are parked from it, are passed over, so many in one script: it must not block Redis. */
const SKIPPED_AT_MOST = 1000;
/** Retries and probes have a quarter of the room, beside that of new ones. */
const RETRY_SHARE = 0.25;
const RETRIES_AT_LEAST = 4;
/** So many that were parked go back into the line in one script. */
const RELEASED_AT_ONCE = 200;

/** What was waited for is counted to this; so little a clock may step back unnoticed. */
const CLOCK_NOTED_EVERY_MS = 1000;

/**
 * The line in Lua. `take(most)` moves the next ones from the line into work and returns their ids. Those without an
 * attempt under way are ahead of everybody in line; few are, so that the order is decided late. Retries and probes of
 * held configurations have room of their own: new ones always get theirs. `tick(waiting)` is the time, and moves those put off back with a
 * clock that stepped back: nobody waits for longer than they were to.
 */
const LINE_LUA = `
local COUNTS, IN_WORK, PUT_OFF = KEYS[1], KEYS[2], KEYS[3]
local RETRYING, HOLDS, PROBES, RELEASED, PARKED_SETS = unpack(KEYS, 4 + ${RANKS.length}, 8 + ${RANKS.length})
local ROOT, WINDOW, PROBE_LOST_MS = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local skips = ${SKIPPED_AT_MOST}
${HOLD_LUA}
local function tick(waiting)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if not waiting and redis.call('EXISTS', PUT_OFF) == 0 then return now end
  local noted = tonumber(redis.call('HGET', COUNTS, 'clock') or 0)
  if now < noted then
    local due = redis.call('ZRANGE', PUT_OFF, 0, -1, 'WITHSCORES')
    for at = 1, #due, 2 do redis.call('ZADD', PUT_OFF, string.format('%.0f', due[at + 1] - (noted - now)), due[at]) end
  end
  if now < noted or now >= noted + ${CLOCK_NOTED_EVERY_MS} then redis.call('HSET', COUNTS, 'clock', string.format('%.0f', now)) end
  return now
end
local function putOff(id, waitMs)
  if waitMs > 0 then redis.call('ZADD', PUT_OFF, string.format('%.0f', tick(true) + waitMs), id)
  else redis.call('ZREM', PUT_OFF, id) end
end
local function line(rank) return KEYS[4 + rank] end
local function parked(key) return ROOT .. ':parked:' .. key end
-- Letter, instant of acceptance, rank and configuration of a record; nothing where there is none.
local function look(id)
  local start = redis.call('GETRANGE', ROOT .. ':' .. id, 0, ${HEADER_BYTES})
  local letter, at, rank, configuration = string.match(start, '^%d+ (%a) (%d+) (%d) %d+ %S+ %S+ %S+ ?(%S*)\\n')
  return letter, tonumber(at), rank, configuration
end
local function park(key, id, at)
  redis.call('ZADD', parked(key), at, id)
  redis.call('SADD', PARKED_SETS, key)
  if not redis.call('ZSCORE', PROBES, key) then
    redis.call('ZADD', PROBES, cjson.decode(redis.call('HGET', HOLDS, 'h:' .. key)).probeAt, key)
  end
end
-- It ended: wherever it was, it is no more.
local function leave(id, configuration)
  redis.call('ZREM', IN_WORK, id)
  redis.call('ZREM', PUT_OFF, id)
  redis.call('SREM', RETRYING, id)
  if configuration ~= '' then
    redis.call('ZREM', parked('create:' .. configuration), id)
    redis.call('ZREM', parked('look:' .. configuration), id)
  end
end
local function head(rank)
  while skips > 0 do
    local id = redis.call('LINDEX', line(rank), 0)
    if not id then return nil end
    local letter, at, _, configuration = look(id)
    local key = letter == '${LETTERS.queued}' and configuration ~= '' and 'create:' .. configuration
    local held = key and redis.call('HEXISTS', HOLDS, 'h:' .. key) == 1
    if letter == '${LETTERS.queued}' and not held then return id, at end
    skips = skips - 1
    redis.call('LPOP', line(rank))
    redis.call('HINCRBY', COUNTS, 'left:' .. rank, 1)
    if held then park(key, id, at) end
  end
end
local function best()
  local passed = tonumber(redis.call('HGET', COUNTS, 'passed') or 0)
  local rank, id, at
  for candidate = 0, ${RANKS.length - 1} do
    local nextId, nextAt = head(candidate)
    if nextId and (not id or (passed >= ${PASSED_OVER_AT_MOST} and nextAt < at)) then
      rank, id, at = candidate, nextId, nextAt
    end
  end
  if id then redis.call('HSET', COUNTS, 'passed', passed >= ${PASSED_OVER_AT_MOST} and 0 or passed + 1) end
  return rank, id, at
end
local function ahead()
  local delivering = tonumber(redis.call('HGET', COUNTS, 'delivering') or 0)
  return redis.call('ZCARD', IN_WORK) - redis.call('ZCARD', PUT_OFF) - delivering
end
local function retryRoom()
  return math.max(${RETRIES_AT_LEAST}, math.ceil(WINDOW * ${RETRY_SHARE})) - redis.call('SCARD', RETRYING)
end
-- Some of what was parked under a hold that ended goes back: in front of its line, or among the retries.
local function release()
  local key = redis.call('SRANDMEMBER', RELEASED)
  if not key then return end
  if redis.call('HEXISTS', HOLDS, 'h:' .. key) == 1 then return redis.call('SREM', RELEASED, key) end
  local ids = redis.call('ZREVRANGE', parked(key), 0, ${RELEASED_AT_ONCE - 1})
  for _, id in ipairs(ids) do
    local letter, at, rank = look(id)
    redis.call('ZREM', parked(key), id)
    if letter == '${LETTERS.queued}' then
      redis.call('LPUSH', line(rank), id)
      redis.call('HINCRBY', COUNTS, 'left:' .. rank, -1)
    elseif letter == '${LETTERS.waiting}' then
      redis.call('ZADD', IN_WORK, at, id)
      putOff(id, 1)
    end
  end
  if #ids < ${RELEASED_AT_ONCE} then
    redis.call('SREM', RELEASED, key)
    redis.call('SREM', PARKED_SETS, key)
  end
end
-- While the tenant is held too, one configuration at a time is tried, and not before the tenant's own probe is due.
local function mayProbe(operation, elected, now)
  for _, text in pairs(redis.call('HMGET', HOLDS, 'h:' .. operation, 'h:any')) do
    if text and (elected[operation] or cjson.decode(text).probeAt > now) then return false end
  end
  return true
end
-- A held configuration is tried by one of its parked deliveries, each time by another.
local function electProbes(taken, now)
  local room, elected = retryRoom(), {}
  if room <= 0 then return end
  -- No probe is put off for longer: Redis's clock stepped back.
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', PROBES, '(' .. string.format('%.0f', now + PROBE_LOST_MS), '+inf', 'LIMIT', 0, room)) do
    redis.call('ZADD', PROBES, now, key)
  end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', PROBES, '-inf', now, 'LIMIT', 0, room)) do
    local operation = string.match(key, '^%a+')
    if mayProbe(operation, elected, now) then
      local hold = cjson.decode(redis.call('HGET', HOLDS, 'h:' .. key))
      local count = redis.call('ZCARD', parked(key))
      local id = count > 0 and redis.call('ZRANGE', parked(key), hold.probes % count, hold.probes % count)[1]
      local letter, at
      if id then
        redis.call('ZREM', parked(key), id)
        letter, at = look(id)
      else
        redis.call('ZREM', PROBES, key)
      end
      if letter == '${LETTERS.queued}' or letter == '${LETTERS.waiting}' then
        redis.call('ZADD', IN_WORK, at, id)
        redis.call('SADD', RETRYING, id)
        claim(HOLDS, PROBES, key, hold, id, now + PROBE_LOST_MS)
        taken[#taken + 1] = id
        elected[operation] = true
      end
    end
  end
end
local function takeRetries(taken, now)
  local room = retryRoom()
  if room <= 0 then return end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', PUT_OFF, '-inf', string.format('%.0f', now), 'LIMIT', 0, room)) do
    redis.call('ZREM', PUT_OFF, id)
    redis.call('SADD', RETRYING, id)
    taken[#taken + 1] = id
  end
end
local function take(most)
  local taken, now = {}, tick(false)
  release()
  electProbes(taken, now)
  takeRetries(taken, now)
  local room = math.min(most, WINDOW - (ahead() - redis.call('SCARD', RETRYING)))
  while room > 0 do
    local rank, id, at = best()
    if not id then return taken end
    redis.call('LPOP', line(rank))
    redis.call('HINCRBY', COUNTS, 'left:' .. rank, 1)
    redis.call('ZADD', IN_WORK, at, id)
    taken[#taken + 1] = id
    room = room - 1
  end
  return taken
end`;

/** Defines a script that holds the line; \`OWN_KEYS\` and \`OWN_ARGS\` say where its own keys and arguments begin. */
export function defineLineScript(redis: RedisConnection, line: Pick<Line, 'keys' | 'args'>, name: string, lua: string) {
  const script = defineScript(
    redis,
    name,
    `local OWN_KEYS, OWN_ARGS = ${LINE_KEYS}, ${LINE_ARGS}\n${LINE_LUA}\n${lua}`,
  );
  return (keys: readonly string[], args: readonly (string | number)[]) =>
    script([...line.keys, ...keys], [...line.args, ...args]);
}

const PROMOTE = `
local taken = take(tonumber(ARGV[OWN_ARGS + 1]))
local now, nextAt = tick(false), nil
if skips <= 0 or redis.call('EXISTS', RELEASED) == 1 then nextAt = now end
for _, key in ipairs({PUT_OFF, PROBES}) do
  -- What is due already waits for room, and room is made by turns.
  local at = redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if at and (not nextAt or tonumber(at) < nextAt) then nextAt = tonumber(at) end
end
local reply = {taken, nextAt and math.ceil(nextAt - now) or -1}
return reply, #taken > 0 and reply`;

const PUT_OFF = `
local id, waitMs = unpack(ARGV, OWN_ARGS + 1)
if redis.call('ZSCORE', IN_WORK, id) then
  redis.call('SREM', RETRYING, id)
  putOff(id, math.max(1, waitMs))
end
return 0, false`;

const WAIT = `
local due = redis.call('ZSCORE', PUT_OFF, ARGV[OWN_ARGS + 1])
return due and math.ceil(due - tick(false)) or 0, false`;

const PARK = `
local id, key = ARGV[OWN_ARGS + 1], ARGV[OWN_ARGS + 2]
local at = redis.call('ZSCORE', IN_WORK, id)
if not at then return 0, false end
redis.call('SREM', RETRYING, id)
if redis.call('HEXISTS', HOLDS, 'h:' .. key) == 0 then
  putOff(id, 1)
else
  redis.call('ZREM', IN_WORK, id)
  redis.call('ZREM', PUT_OFF, id)
  park(key, id, at)
end
return 0, false`;

const OLDEST = `
local oldest = tonumber(redis.call('ZRANGE', IN_WORK, 0, 0, 'WITHSCORES')[2])
for rank = 0, ${RANKS.length - 1} do
  local id, at = head(rank)
  if id and (not oldest or at < oldest) then oldest = at end
end
local ofAll = oldest
for _, key in ipairs(redis.call('SMEMBERS', PARKED_SETS)) do
  local at = tonumber(redis.call('ZRANGE', parked(key), 0, 0, 'WITHSCORES')[2])
  if at and (not ofAll or at < ofAll) then ofAll = at end
end
return {ofAll and tostring(ofAll) or false, oldest and tostring(oldest) or false}, false`;

/** One feeding blocks Redis for no longer than this many. */
const FED_AT_ONCE = 200;
/** How many in work one sweep looks at, and how old one must be to be missed. */
const SWEEP_SLICE = 1000;
const SWEEP_AGE_MS = 15_000;

/**
 * The line of one tenant.
 * @param window how many new ones may be ahead of those in line: without an attempt under way, and due
 * @param probeLostMs when a delivery that was chosen as a probe counts as lost
 */
export function createLine(
  redis: RedisConnection,
  queue: Queue,
  keys: Keys,
  window: number,
  probeLostMs: number,
): Line {
  const { counts, inWork, putOff, retrying, holds, probes, released, parkedSets } = keys;
  const script = {
    keys: [...[counts, inWork, putOff, ...keys.line], ...[retrying, holds, probes, released, parkedSets]],
    args: [keys.root, window, probeLostMs],
  };
  const promoteScript = defineLineScript(redis, script, 'promoteDeliveries', PROMOTE);
  const putOffScript = defineLineScript(redis, script, 'putOff', PUT_OFF);
  const waitScript = defineLineScript(redis, script, 'waitFor', WAIT);
  const parkScript = defineLineScript(redis, script, 'parkDelivery', PARK);
  const oldestScript = defineLineScript(redis, script, 'oldestOpen', OLDEST);
  let swept = 0;

  async function wake(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => queue.add('deliver', {}, { jobId: id })));
  }

  /** Whether it has a job, or gets one when its time comes. */
  const isExpected = async (id: string) =>
    (await redis.exists(queue.toKey(id))) === 1 || (await redis.zscore(keys.putOff, id)) !== null;

  async function promote(): Promise<Promoted> {
    const [ids, nextInMs] = (await promoteScript([], [FED_AT_ONCE])) as [string[], number];
    await wake(ids);
    return { count: ids.length, nextInMs: nextInMs < 0 ? null : nextInMs };
  }

  return {
    ...script,
    wake,
    promote,
    feed: async () => (await promote()).count,
    wakeIfDue: async (id) => {
      const [[inWorkAt], [putOffUntil]] = await Promise.all([redis.zmscore(inWork, id), redis.zmscore(putOff, id)]);
      if (inWorkAt != null && putOffUntil == null) await wake([id]);
    },
    putOff: async (id, waitMs) => {
      await putOffScript([], [id, waitMs]);
    },
    waitMs: async (id) => Number(await waitScript([], [id])),
    park: async (id, heldBy) => {
      await parkScript([], [id, heldBy]);
    },
    sweep: async (now) => {
      const [from, to] = [String(swept), String(swept + SWEEP_SLICE - 1)];
      const slice = await redis.zrange(keys.inWork, from, to, 'WITHSCORES');
      swept = slice.length < 2 * SWEEP_SLICE ? 0 : swept + SWEEP_SLICE;
      // One from the future was accepted by a clock that was wrong: it is no younger for that.
      const ids = slice.filter((_, index) => {
        const age = now - Number(slice[index + 1]);
        return index % 2 === 0 && (age >= SWEEP_AGE_MS || age < 0);
      });
      const present = await Promise.all(ids.map(isExpected));
      const missed = ids.filter((_, index) => !present[index]);
      await wake(missed);
      return missed.length;
    },
    oldestOpen: async () => {
      const [at, notParkedAt] = (await oldestScript([], [])) as (string | null)[];
      return { at: at == null ? null : Number(at), notParkedAt: notParkedAt == null ? null : Number(notParkedAt) };
    },
  };
}
