--[[
  Forgets what a device reported. When it reports again it is a new one.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  device key

  Reply: 1, or 0 if nothing was known of it
]]
local ROOT = ARGV[1]
--- @include "devices/reports"

return forgetReports(ARGV[2])
