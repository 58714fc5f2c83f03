--[[
  The status of a delivery, also once its details are dropped.
]]
--- @include "compacted/entries"

-- Returns a status code; nothing if there is no such delivery.
local function statusOf(id)
  local status = string.match(redis.call('GETRANGE', ROOT .. ':' .. id, 0, HEADER_BYTES), '^%d+ (%a) ')
  return status or (findCompacted(id) and DELIVERED or nil)
end
