--[[
  Reads the last run results of one device, newest first.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  device key

  Reply: {name, report, status code or '', report…}; empty if it never reported
]]
local ROOT = ARGV[1]
--- @include "compacted/status-of"
--- @include "devices/reports"

local known = redis.call('HGET', REPORTS, ARGV[2])
if not known then return {} end
local reply = {string.match(known, '^[^\n]*')}
for line in string.gmatch(known, '\n([^\n]+)') do
  local _, _, _, _, id = parseReport(line)
  reply[#reply + 1], reply[#reply + 2] = line, statusOf(id) or ''
end
return reply
