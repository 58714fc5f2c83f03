--[[
  Adds what records say about devices, for which an earlier version noted nothing. To be called from the oldest to the
  newest. What is known of a device and configuration already is kept if it is as new.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  how many records follow, six arguments each:
           device key
           name of the device
           configuration key
           run state
           instant of acceptance
           delivery id

  Reply: how many were added
]]
local ROOT = ARGV[1]
--- @include "devices/note-report"

local ARGS_EACH = 6

local function isKnown(device, configuration, at)
  local known = redis.call('HGET', REPORTS, device) or ''
  for line in string.gmatch(known, '\n([^\n]+)') do
    local itsConfiguration, _, _, itsAt = parseReport(line)
    if itsConfiguration == configuration and itsAt >= at then return true end
  end
  return false
end

local added = 0
for entry = 0, tonumber(ARGV[2]) - 1 do
  local first = 3 + entry * ARGS_EACH
  local device, name, configuration, state, at, id = unpack(ARGV, first, first + ARGS_EACH - 1)
  if not isKnown(device, configuration, tonumber(at)) then
    addReport(readReports(device), device, name, configuration, state, tonumber(at), id)
    added = added + 1
  end
end
return added
