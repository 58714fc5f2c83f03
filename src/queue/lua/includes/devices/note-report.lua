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

local function instantOf(line)
  local _, _, _, at = parseReport(line)
  return at
end

-- Before the first line that is not newer.
local function insertLine(lines, line, at)
  local place = 1
  while lines[place] and instantOf(lines[place]) > at do place = place + 1 end
  table.insert(lines, place, line)
  return place
end

local function readReports(device) return redis.call('HGET', REPORTS, device) or '' end

-- Notes a report at its place: what is known of other configurations may be newer. `known` is what `readReports` returned.
local function addReport(known, device, name, configuration, state, at, id)
  local lines, before = {}, 0
  for line in string.gmatch(known, '\n([^\n]+)') do
    local itsConfiguration, _, failures = parseReport(line)
    if itsConfiguration == configuration then before = failures else lines[#lines + 1] = line end
  end
  local failures = countFailures(state, before)
  noteFailures(device, configuration, before, failures)
  local instant = string.format('%.0f', at)
  local place = insertLine(lines, table.concat({configuration, state, failures, instant, id}, ' '), at)
  redis.call('ZADD', reportedKey(configuration), instant, device)
  if place == 1 then redis.call('ZADD', reportedKey(), instant, device)
  else name = string.match(known, '^[^\n]*') end
  if #lines > CONFIGURATIONS_KEPT then leaveLists(device, table.remove(lines)) end
  redis.call('HSET', REPORTS, device, table.concat({name, unpack(lines)}, '\n'))
end

-- Notes a report that has just arrived. The order of arrival counts: clocks differ.
local function noteReport(device, name, configuration, state, at, id)
  local known = readReports(device)
  local newest = string.match(known, '\n([^\n]+)')
  addReport(known, device, name, configuration, state, math.max(tonumber(at), newest and instantOf(newest) or 0), id)
end
