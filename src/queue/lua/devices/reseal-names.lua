--[[
  Replaces names of devices by what they are when sealed with another key. One that changed meanwhile stays.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2…] device key, name as it was, name sealed again, device key…

  Reply: how many were replaced
]]
local ROOT = ARGV[1]
--- @include "devices/reports"

local replaced = 0
for at = 2, #ARGV, 3 do
  local device, before, after = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local known = redis.call('HGET', REPORTS, device) or ''
  local name, lines = string.match(known, '^([^\n]*)(.*)$')
  if name == before and lines ~= '' then
    redis.call('HSET', REPORTS, device, after .. lines)
    replaced = replaced + 1
  end
end
return replaced
