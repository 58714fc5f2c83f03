--[[
  Claims the next dead letters of a running replay for the process that drives it: as many as its rate allows by now.

  KEYS[1]  counts
  KEYS[2]  the replay
  KEYS[3]  its dead letters that are left, by instant of death
  KEYS[4]  its dead letters that are claimed
  ARGV[1]  the process
  ARGV[2]  milliseconds for which no other process drives it
  ARGV[3]  how many may be claimed at once
  ARGV[4]  milliseconds for which a replay is kept once it has ended

  Reply: {'stopped'} (not running), {'driven'} (by another process), {'done'} (it has just ended), or
  {'slice', milliseconds until the next one, how many are claimed from before, {id…}}
]]
--- @include "replays/now"
--- @include "replays/end"

-- What a replay may catch up on if it was not driven for a while.
local CATCHES_UP_S = 1

local COUNTS, REPLAY, LEFT, CLAIMED = unpack(KEYS)
local process, leaseMs, most, keptMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local state, perSecond, tokens, at, driver, leaseUntil =
  unpack(redis.call('HMGET', REPLAY, 'state', 'perSecond', 'tokens', 'at', 'driver', 'leaseUntil'))
if state ~= 'running' then return {'stopped'}, false end
-- A lease that is longer than any is of a clock that was ahead.
local leaseLeftMs = tonumber(leaseUntil or 0) - now
if driver and driver ~= process and leaseLeftMs > 0 and leaseLeftMs <= leaseMs then return {'driven'}, false end

-- Claimed by a process that died or failed before it had replayed them.
local ids = redis.call('ZRANGE', CLAIMED, 0, most - 1)
local fromBefore = #ids
perSecond = tonumber(perSecond)
local earned = math.max(0, now - tonumber(at)) / 1000 * perSecond
tokens = math.min(math.max(1, perSecond * CATCHES_UP_S), tonumber(tokens) + earned)
local room = math.min(math.floor(tokens), most - fromBefore)
local taken = room > 0 and redis.call('ZRANGE', LEFT, 0, room - 1, 'WITHSCORES') or {}
for index = 1, #taken, 2 do
  redis.call('ZREM', LEFT, taken[index])
  redis.call('ZADD', CLAIMED, taken[index + 1], taken[index])
  ids[#ids + 1] = taken[index]
end
if #ids == 0 and redis.call('ZCARD', LEFT) == 0 then
  endReplay(REPLAY, LEFT, CLAIMED, COUNTS, 'done', now, keptMs)
  return {'done'}
end
tokens = tokens - #taken / 2
redis.call('HSET', REPLAY, 'tokens', tokens, 'at', now, 'driver', process, 'leaseUntil', now + leaseMs)
return {'slice', math.ceil(math.max(0, 1 - tokens) / perSecond * 1000), fromBefore, ids}
