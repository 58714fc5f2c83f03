--[[
  Forgets devices that have not reported for very long.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  the instant of the last report
  ARGV[3]  how many devices at most

  Reply: how many were forgotten
]]
local ROOT = ARGV[1]
--- @include "devices/reports"

local silent = redis.call('ZRANGEBYSCORE', reportedKey(), '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
for _, device in ipairs(silent) do forgetReports(device) end
return #silent
