--[[
  What the order of deliveries depends on, read from the beginning of a record.
]]
--- @include "waiting-list/keys"

-- A record of a newer version is kept in order like any other, and a worker of that version takes it.
-- Returns status code, instant of acceptance, rank and configuration key; nothing if there is no such record.
local function readHeader(id)
  local start = redis.call('GETRANGE', ROOT .. ':' .. id, 0, HEADER_BYTES)
  local header = string.gsub(start, '^v%d+ ', '', 1)
  local status, at, rank, configuration = string.match(header, '^%d+ (%a) (%d+) (%d) %d+ %S+ %S+ %S+ ?(%S*)\n')
  return status, tonumber(at), rank, configuration
end
