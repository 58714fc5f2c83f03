--[[
  The status of a delivery, also once its details are dropped.
]]
--- @include "record-header"
--- @include "compacted/entries"

-- Returns a status code, and whether a newer version wrote the record; nothing if there is no such delivery.
local function statusOf(id)
  local start = redis.call('GETRANGE', ROOT .. ':' .. id, 0, HEADER_BYTES)
  local header = string.gsub(start, '^v%d+ ', '', 1)
  local status = string.match(header, '^%d+ (%a) ')
  return status or (findCompacted(id) and DELIVERED or nil), isOfNewer(start)
end
