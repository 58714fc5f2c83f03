--[[
  The results of one device and configuration, of which the newest that counts is enough. They are a sorted set of
  '<instant> <id>', all with the same score and so in order of completion. It has the deliveries that are open, those
  superseded whose run result is kept, and the newest one created. One that is open or created counts in place of all
  older ones; a dead one counts for nothing and is not in the set.
  Needs ROOT, the prefix of the tenant's keys.
]]
--- @include "compacted/status-of"

local function isOpen(status) return status == QUEUED or status == DELIVERING or status == WAITING end

local function isOpenOrCreated(status) return isOpen(status) or status == DELIVERED end

-- Calls visit(instant, id, status) from the newest to the oldest until it returns something. Superseded ones of a newer
-- version are passed over: what may follow for them is a change.
local function eachResult(results, visit)
  for _, member in ipairs(redis.call('ZREVRANGE', results, 0, -1)) do
    local instant, id = string.match(member, '^(%d+) (%S+)$')
    local status, isNewer = statusOf(id)
    if isOpenOrCreated(status) or (status == SUPERSEDED and not isNewer) then
      local found = visit(instant, id, status)
      if found then return found end
    elseif not isNewer then
      redis.call('ZREM', results, member)
    end
  end
end

-- Returns {instant, id} of the newest that is open or created.
local function newestOf(results)
  return eachResult(results, function(instant, id, status)
    if isOpenOrCreated(status) then return {instant, id} end
  end)
end
