// Who competes with whom: the results of one device and configuration, of which the newest that stands is enough.
import { HEADER_BYTES, LETTERS } from './record.ts';

/** Of those superseded, so many are kept whole: each comes back if all newer ones die. */
const KEPT_WHOLE = 8;

/**
 * The contest in Lua; it needs the header's Lua and `ROOT`. A contest is a sorted set of `<instant> <id>`, all with the
 * same score, so that it is in order of completion. In it are those that are open, those superseded whose run result is
 * kept, and the newest one created. One that is open or was created stands, for all that are older; a dead one stands
 * for nothing and is not in it.
 */
export const CONTEST_LUA = `
local function letterOf(id)
  return string.match(redis.call('GETRANGE', ROOT .. ':' .. id, 0, ${HEADER_BYTES}), '^%d+ (%a) ')
end
local function isOpen(letter)
  return letter == '${LETTERS.queued}' or letter == '${LETTERS.delivering}' or letter == '${LETTERS.waiting}'
end
local function stands(letter) return isOpen(letter) or letter == '${LETTERS.delivered}' end
-- Calls visit(instant, id, letter) from the newest to the oldest until it returns something.
local function eachRival(contest, visit)
  for _, member in ipairs(redis.call('ZREVRANGE', contest, 0, -1)) do
    local instant, id = string.match(member, '^(%d+) (%S+)$')
    local letter = letterOf(id)
    if stands(letter) or letter == '${LETTERS.superseded}' then
      local found = visit(instant, id, letter)
      if found then return found end
    else
      redis.call('ZREM', contest, member)
    end
  end
end
local function join(contest, instant, id)
  redis.call('ZADD', contest, 0, instant .. ' ' .. id)
  redis.call('PERSIST', contest)
end
-- The newest that stands, and when its run was completed.
local function newestStanding(contest)
  local newest
  eachRival(contest, function(instant, id, letter)
    if stands(letter) then
      newest = {instant, id}
      return newest
    end
  end)
  return newest
end`;

/** What the end of one does to the others; it needs \`COUNTS\` and \`line\` beside. */
export const ENDING_LUA = `
-- It never comes back: its run result goes.
local function endForGood(contest, instant, id, window)
  local key = ROOT .. ':' .. id
  local known = redis.call('GET', key)
  local kept = string.match(known, '^([^\\n]*\\n[^\\n]*\\n)')
  redis.call('SET', key, kept, 'PX', window)
  if kept ~= known then redis.call('HINCRBY', COUNTS, 'bytes', -#known) end
  redis.call('ZREM', contest, instant .. ' ' .. id)
end
local function keepFew(contest, window)
  local kept = 0
  eachRival(contest, function(instant, id, letter)
    if letter ~= '${LETTERS.superseded}' then return end
    kept = kept + 1
    if kept > ${KEPT_WHOLE} then endForGood(contest, instant, id, window) end
  end)
end
-- While nobody in it is waited for, it is remembered for as long as what was created.
local function expire(contest, window)
  local isAwaited = eachRival(contest, function(_, _, letter) return letter ~= '${LETTERS.delivered}' end)
  if not isAwaited then redis.call('PEXPIRE', contest, window) end
end
-- Of those created only the newest matters, and nobody older comes back.
local function created(contest, instant, id, window)
  eachRival(contest, function(otherInstant, other, letter)
    if letter == '${LETTERS.superseded}' and otherInstant < instant then
      endForGood(contest, otherInstant, other, window)
    elseif letter == '${LETTERS.delivered}' and other ~= id then
      if otherInstant > instant then redis.call('ZREM', contest, instant .. ' ' .. id)
      else redis.call('ZREM', contest, otherInstant .. ' ' .. other) end
    end
  end)
  expire(contest, window)
end
local function comeBack(id)
  local key = ROOT .. ':' .. id
  local known = redis.call('GET', key)
  local rev, _, at, rank, _, identity, configuration = header(known)
  local number = redis.call('HINCRBY', COUNTS, 'joined:' .. rank, 1)
  local parts = {rev + 1, '${LETTERS.queued}', at, rank, number, identity, configuration ~= '' and configuration or nil}
  local head = table.concat(parts, ' ')
  local record = head .. string.sub(known, string.find(known, '\\n', 1, true), -1)
  redis.call('SET', key, record)
  redis.call('HINCRBY', COUNTS, 'bytes', #record - #known)
  redis.call('RPUSH', line(rank), id)
  redis.call('HINCRBY', COUNTS, 'superseded', -1)
  redis.call('HINCRBY', COUNTS, 'queued', 1)
end
-- The newest that is left stands in its place, and comes back if it was superseded. Returns who that is.
local function died(contest, instant, id, window)
  redis.call('ZREM', contest, instant .. ' ' .. id)
  local newest, heir
  eachRival(contest, function(otherInstant, other, letter)
    if newest and otherInstant ~= newest then return true end
    newest, heir = otherInstant, heir or other
    if letter == '${LETTERS.superseded}' then comeBack(other) end
  end)
  expire(contest, window)
  return heir
end`;

/** Who stands for an older one: open or created, of a run completed later. KEYS: the contest. ARGV: root, instant. */
export const NEWER_LUA = `
local ROOT = ARGV[1]
${CONTEST_LUA}
local newest = newestStanding(KEYS[1])
return newest and newest[1] > ARGV[2] and newest[2] or false`;
