// Who is next: deliveries wait in line by rank, and only a few at a time have a BullMQ job that wakes a worker.
import type { Queue } from 'bullmq';
import { PASSED_OVER_AT_MOST, RANKS } from '../domain/order.ts';
import type { Keys } from './keys.ts';
import { HEADER_BYTES, LETTERS } from './record.ts';
import type { RedisConnection } from './redis.ts';
import { defineScript } from './script.ts';

export type Line = {
  /** Keys and arguments a script needs that holds LINE_LUA, before its own. */
  keys: readonly string[];
  args: readonly (string | number)[];
  /** Gives jobs to the next in line, as many as there is room for. @returns how many */
  feed: () => Promise<number>;
  /** Gives jobs to deliveries; one that has a job keeps it. */
  wake: (ids: readonly string[]) => Promise<void>;
  /** Gives jobs to those in work that have lost theirs, one slice per call. @returns how many had none */
  sweep: (now: number) => Promise<number>;
  /** Gives a delivery in work its job so much later. */
  putOff: (id: string, waitMs: number) => Promise<void>;
  /** How long a delivery has to wait for its next attempt, on Redis's clock. */
  waitMs: (id: string) => Promise<number>;
  /** When the oldest in line or in work was accepted; null where there is none. */
  oldestOpenAt: () => Promise<number | null>;
};

/** A script with the line in it begins with these keys and arguments. */
const LINE_KEYS = 3 + RANKS.length;
const LINE_ARGS = 2;

/** Those that ended in line are passed over, so many in one script: it must not block Redis. */
const SKIPPED_AT_MOST = 1000;
/** In work are at most so many windows and so many beside: those that wait for a look, or for a key that opens them. */
const IN_WORK_WINDOWS = 20;
const IN_WORK_BESIDE = 1000;

/** What was waited for is counted to this; so little a clock may step back unnoticed. */
const CLOCK_NOTED_EVERY_MS = 1000;

/**
 * The line in Lua. `take(most)` moves the next ones from the line into work and returns their ids. Those without an
 * attempt under way are ahead of everybody in line; few are, so that the order is decided late. `tick(waiting)` is the
 * time, and moves those put off back with a clock that stepped back: nobody waits for longer than they were to.
 */
const LINE_LUA = `
local COUNTS, IN_WORK, PUT_OFF = KEYS[1], KEYS[2], KEYS[3]
local ROOT, WINDOW = ARGV[1], tonumber(ARGV[2])
local skips = ${SKIPPED_AT_MOST}
local function line(rank) return KEYS[4 + rank] end
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
local function head(rank)
  while skips > 0 do
    local id = redis.call('LINDEX', line(rank), 0)
    if not id then return nil end
    local start = redis.call('GETRANGE', ROOT .. ':' .. id, 0, ${HEADER_BYTES})
    local letter, at = string.match(start, '^%d+ (%a) (%d+) ')
    if letter == '${LETTERS.queued}' then return id, tonumber(at) end
    skips = skips - 1
    redis.call('LPOP', line(rank))
    redis.call('HINCRBY', COUNTS, 'left:' .. rank, 1)
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
local function take(most)
  local taken = {}
  local room = math.min(most, WINDOW - ahead(), ${IN_WORK_WINDOWS} * WINDOW + ${IN_WORK_BESIDE} - redis.call('ZCARD', IN_WORK))
  while #taken < room do
    local rank, id, at = best()
    if not id then return taken end
    redis.call('LPOP', line(rank))
    redis.call('HINCRBY', COUNTS, 'left:' .. rank, 1)
    redis.call('ZADD', IN_WORK, at, id)
    taken[#taken + 1] = id
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

const OLDEST = `
local oldest = redis.call('ZRANGE', IN_WORK, 0, 0, 'WITHSCORES')[2]
for rank = 0, ${RANKS.length - 1} do
  local id, at = head(rank)
  if id and (not oldest or at < tonumber(oldest)) then oldest = at end
end
return oldest and tostring(oldest) or false, false`;

/** Those whose time has come go before whoever is in line. */
const FEED = `
local most = tonumber(ARGV[OWN_ARGS + 1])
local now = tick(false)
local ids = redis.call('ZRANGEBYSCORE', PUT_OFF, '-inf', string.format('%.0f', now), 'LIMIT', 0, most)
if #ids > 0 then redis.call('ZREM', PUT_OFF, unpack(ids)) end
for _, id in ipairs(take(most)) do ids[#ids + 1] = id end
return ids, #ids > 0 and ids`;

const PUT_OFF = `
local id, waitMs = unpack(ARGV, OWN_ARGS + 1)
if redis.call('ZSCORE', IN_WORK, id) then putOff(id, math.max(1, waitMs)) end
return 0, false`;

const WAIT = `
local due = redis.call('ZSCORE', PUT_OFF, ARGV[OWN_ARGS + 1])
return due and math.ceil(due - tick(false)) or 0, false`;

/** One feeding blocks Redis for no longer than this many. */
const FED_AT_ONCE = 200;
/** How many in work one sweep looks at, and how old one must be to be missed. */
const SWEEP_SLICE = 1000;
const SWEEP_AGE_MS = 15_000;

/**
 * The line of one tenant.
 * @param window how many may be ahead of those in line: without an attempt under way, and due
 */
export function createLine(redis: RedisConnection, queue: Queue, keys: Keys, window: number): Line {
  const script = {
    keys: [keys.counts, keys.inWork, keys.putOff, ...keys.line],
    args: [keys.root, window],
  };
  const feedScript = defineLineScript(redis, script, 'feedQueue', FEED);
  const putOffScript = defineLineScript(redis, script, 'putOff', PUT_OFF);
  const waitScript = defineLineScript(redis, script, 'waitFor', WAIT);
  const oldestScript = defineLineScript(redis, script, 'oldestOpen', OLDEST);
  let swept = 0;

  async function wake(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => queue.add('deliver', {}, { jobId: id })));
  }

  /** Whether it has a job, or gets one when its time comes. */
  const isExpected = async (id: string) =>
    (await redis.exists(queue.toKey(id))) === 1 || (await redis.zscore(keys.putOff, id)) !== null;

  return {
    ...script,
    wake,
    feed: async () => {
      const ids = (await feedScript([], [FED_AT_ONCE])) as string[];
      await wake(ids);
      return ids.length;
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
    putOff: async (id, waitMs) => {
      await putOffScript([], [id, waitMs]);
    },
    waitMs: async (id) => Number(await waitScript([], [id])),
    oldestOpenAt: async () => {
      const at = await oldestScript([], []);
      return at === null ? null : Number(at);
    },
  };
}
