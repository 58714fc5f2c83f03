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

/**
 * The line in Lua. `take(most)` moves the next ones from the line into work and returns their ids. Those without an
 * attempt under way are ahead of everybody in line; few are, so that the order is decided late.
 */
const LINE_LUA = `
local COUNTS, IN_WORK, DELAYED = KEYS[1], KEYS[2], KEYS[3]
local ROOT, WINDOW = ARGV[1], tonumber(ARGV[2])
local skips = ${SKIPPED_AT_MOST}
local function line(rank) return KEYS[4 + rank] end
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
  return redis.call('ZCARD', IN_WORK) - redis.call('ZCARD', DELAYED) - delivering
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

const FEED = `
local taken = take(tonumber(ARGV[OWN_ARGS + 1]))
return taken, #taken > 0 and taken`;

const OLDEST = `
local oldest = redis.call('ZRANGE', IN_WORK, 0, 0, 'WITHSCORES')[2]
for rank = 0, ${RANKS.length - 1} do
  local id, at = head(rank)
  if id and (not oldest or at < tonumber(oldest)) then oldest = at end
end
return oldest and tostring(oldest) or false, false`;

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
    keys: [keys.counts, keys.inWork, queue.toKey('delayed'), ...keys.line],
    args: [keys.root, window],
  };
  const feedScript = defineLineScript(redis, script, 'feedQueue', FEED);
  const oldestScript = defineLineScript(redis, script, 'oldestOpen', OLDEST);
  let swept = 0;

  async function wake(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => queue.add('deliver', {}, { jobId: id })));
  }

  return {
    ...script,
    wake,
    feed: async () => {
      const ids = (await feedScript([], [FED_AT_ONCE])) as string[];
      await wake(ids);
      return ids.length;
    },
    sweep: async (now) => {
      const ids = await redis.zrangebyscore(keys.inWork, 0, now - SWEEP_AGE_MS, 'LIMIT', swept, SWEEP_SLICE);
      swept = ids.length < SWEEP_SLICE ? 0 : swept + SWEEP_SLICE;
      const present = await Promise.all(ids.map((id) => redis.exists(queue.toKey(id))));
      const missed = ids.filter((_, index) => present[index] === 0);
      await wake(missed);
      return missed.length;
    },
    oldestOpenAt: async () => {
      const at = await oldestScript([], []);
      return at === null ? null : Number(at);
    },
  };
}
