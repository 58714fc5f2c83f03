--[[
  How many more deliveries may be promoted.
]]
--- @include "waiting-list/keys"

-- Retries and probes have room of their own, a quarter of that for new deliveries, so that neither crowds out the other.
local RETRY_SHARE = 0.25
local MINIMUM_RETRIES = 4

-- Promoted deliveries that are due and have no attempt under way: they are ahead of everything in the waiting lists.
local function countDue()
  local delivering = tonumber(redis.call('HGET', COUNTS, 'delivering') or 0)
  return redis.call('ZCARD', PROMOTED) - redis.call('ZCARD', PUT_OFF) - delivering
end

local function retryRoom()
  return math.max(MINIMUM_RETRIES, math.ceil(WINDOW * RETRY_SHARE)) - redis.call('SCARD', RETRYING)
end
