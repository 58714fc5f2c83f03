--[[
  Promotes the next deliveries: they get a BullMQ job. Few are promoted ahead of time, so that the order is decided late.
]]
--- @include "waiting-list/keys"
--- @include "waiting-list/put-off"
--- @include "waiting-list/first-in-list"
--- @include "waiting-list/room"
--- @include "waiting-list/release"
--- @include "waiting-list/probes"

-- Returns rank, id and instant of acceptance of the delivery that goes next: the first of the best rank or, after
-- lower ranks were passed over for long enough, the oldest.
local function nextInOrder()
  local passed = tonumber(redis.call('HGET', COUNTS, 'passed') or 0)
  local oldestGoesNext = passed >= PASSED_OVER_AT_MOST
  local rank, id, at
  for candidate = 0, RANK_COUNT - 1 do
    local nextId, nextAt = firstInList(candidate)
    if nextId and (not id or (oldestGoesNext and nextAt < at)) then
      rank, id, at = candidate, nextId, nextAt
    end
  end
  if id then redis.call('HSET', COUNTS, 'passed', oldestGoesNext and 0 or passed + 1) end
  return rank, id, at
end

local function promoteRetries(promoted, now)
  local room = retryRoom()
  if room <= 0 then return end
  local due = redis.call('ZRANGEBYSCORE', PUT_OFF, '-inf', string.format('%.0f', now), 'LIMIT', 0, room)
  for _, id in ipairs(due) do
    redis.call('ZREM', PUT_OFF, id)
    redis.call('SADD', RETRYING, id)
    promoted[#promoted + 1] = id
  end
end

-- Promotes probes, retries that are due, and up to `most` new deliveries. Returns their ids.
local function promote(most)
  local promoted, now = {}, currentTime(false)
  release()
  promoteProbes(promoted, now)
  promoteRetries(promoted, now)
  local room = math.min(most, WINDOW - (countDue() - redis.call('SCARD', RETRYING)))
  while room > 0 do
    local rank, id, at = nextInOrder()
    if not id then return promoted end
    redis.call('LPOP', waitingList(rank))
    redis.call('HINCRBY', COUNTS, 'left:' .. rank, 1)
    redis.call('ZADD', PROMOTED, at, id)
    promoted[#promoted + 1] = id
    room = room - 1
  end
  return promoted
end
