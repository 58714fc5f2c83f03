--[[
  Returns parked deliveries to the order after their hold has ended.
]]
--- @include "waiting-list/keys"
--- @include "waiting-list/read-header"
--- @include "waiting-list/put-off"

-- How many go back in one script.
local RELEASED_AT_ONCE = 200

-- Those never tried go to the front of their waiting list, the others among the retries.
local function release()
  local hold = redis.call('SRANDMEMBER', RELEASED)
  if not hold then return end
  if redis.call('HEXISTS', HOLDS, 'h:' .. hold) == 1 then return redis.call('SREM', RELEASED, hold) end
  local ids = redis.call('ZREVRANGE', parked(hold), 0, RELEASED_AT_ONCE - 1)
  for _, id in ipairs(ids) do
    local status, at, rank = readHeader(id)
    redis.call('ZREM', parked(hold), id)
    if status == QUEUED then
      redis.call('LPUSH', waitingList(rank), id)
      redis.call('HINCRBY', COUNTS, 'left:' .. rank, -1)
    elseif status == WAITING then
      redis.call('ZADD', PROMOTED, at, id)
      putOff(id, 1)
    end
  end
  if #ids < RELEASED_AT_ONCE then
    redis.call('SREM', RELEASED, hold)
    redis.call('SREM', PARKED_SETS, hold)
  end
end
