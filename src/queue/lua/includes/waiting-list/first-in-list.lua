--[[
  The first delivery in a waiting list that can be promoted.
]]
--- @include "waiting-list/keys"
--- @include "waiting-list/read-header"
--- @include "waiting-list/park"

-- Entries that ended while they waited, or whose configuration is held, are skipped, up to this many in one script:
-- it must not block Redis.
local skips = 1000

-- Returns its id and instant of acceptance; nothing if there is none, or no more may be skipped.
local function firstInList(rank)
  while skips > 0 do
    local id = redis.call('LINDEX', waitingList(rank), 0)
    if not id then return nil end
    local status, at, _, configuration = readHeader(id)
    local hold = status == QUEUED and configuration ~= '' and 'create:' .. configuration
    local isHeld = hold and redis.call('HEXISTS', HOLDS, 'h:' .. hold) == 1
    if status == QUEUED and not isHeld then return id, at end
    skips = skips - 1
    redis.call('LPOP', waitingList(rank))
    redis.call('HINCRBY', COUNTS, 'left:' .. rank, 1)
    if isHeld then park(hold, id, at) end
  end
end
