--[[
  What the order of deliveries depends on, read from the beginning of a record.
]]
--- @include "waiting-list/keys"

-- Returns status code, instant of acceptance, rank and configuration key; nothing if there is no such record.
local function readHeader(id)
  local start = redis.call('GETRANGE', ROOT .. ':' .. id, 0, HEADER_BYTES)
  local status, at, rank, configuration = string.match(start, '^%d+ (%a) (%d+) (%d) %d+ %S+ %S+ %S+ ?(%S*)\n')
  return status, tonumber(at), rank, configuration
end
