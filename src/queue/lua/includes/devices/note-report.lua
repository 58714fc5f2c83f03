--[[
  Notes a run result as the last one of its device and configuration.
]]
--- @include "devices/reports"

-- A device that reports for more configurations loses the one it reported for longest ago.
local CONFIGURATIONS_KEPT = 16

local function countFailures(state, before)
  if state == 'fail' or state == 'scriptError' then return before + 1 end
  if state == 'success' or state == 'notApplicable' then return 0 end
  return before
end

local function noteFailures(device, configuration, before, failures)
  if failures == before then return end
  local member = failingMember(device, configuration)
  for _, key in ipairs({failingKey(), failingKey(configuration)}) do
    if failures >= LEAST_FAILURES_IN_A_ROW then redis.call('ZADD', key, failures, member)
    elseif before >= LEAST_FAILURES_IN_A_ROW then redis.call('ZREM', key, member) end
  end
end

local function noteReport(device, name, configuration, state, at, id)
  local known = redis.call('HGET', REPORTS, device) or ''
  local others, before, latest = {}, 0, tonumber(at)
  for line in string.gmatch(known, '\n([^\n]+)') do
    local itsConfiguration, _, failures, itsAt = parseReport(line)
    -- The order of arrival counts: clocks differ.
    latest = math.max(latest, itsAt)
    if itsConfiguration == configuration then before = failures
    elseif #others < CONFIGURATIONS_KEPT - 1 then others[#others + 1] = line
    else leaveLists(device, line) end
  end
  local failures = countFailures(state, before)
  noteFailures(device, configuration, before, failures)
  local instant = string.format('%.0f', latest)
  local line = table.concat({configuration, state, failures, instant, id}, ' ')
  redis.call('HSET', REPORTS, device, table.concat({name, line, unpack(others)}, '\n'))
  redis.call('ZADD', reportedKey(), instant, device)
  redis.call('ZADD', reportedKey(configuration), instant, device)
end
