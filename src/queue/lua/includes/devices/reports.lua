--[[
  The last run results of devices: where they are kept, and in which form. A device's reports are lines of one text,
  the newest first:

    name of the device, sealed if there are payload keys
    configuration key, run state, failures in a row, instant of acceptance, delivery id

  Needs ROOT, the prefix of the tenant's keys.
]]
-- The texts, by device key.
local REPORTS = ROOT .. ':dv:reports'

-- Device keys by when they reported last; for one configuration if it is given.
local function reportedKey(configuration) return ROOT .. ':dv:reported' .. (configuration and ':' .. configuration or '') end

-- Device and configuration by how many run results failed in a row, from LEAST_FAILURES_IN_A_ROW on.
local function failingKey(configuration) return ROOT .. ':dv:failing' .. (configuration and ':' .. configuration or '') end

local function failingMember(device, configuration) return device .. '.' .. configuration end

-- Returns configuration key, state, failures in a row, instant and delivery id.
local function parseReport(line)
  local configuration, state, failures, at, id = string.match(line, '^(%S+) (%S+) (%d+) (%d+) (%S+)$')
  return configuration, state, tonumber(failures), tonumber(at), id
end

-- Removes a report from the lists of its configuration.
local function leaveLists(device, line)
  local configuration, _, failures = parseReport(line)
  redis.call('ZREM', reportedKey(configuration), device)
  if failures >= LEAST_FAILURES_IN_A_ROW then
    redis.call('ZREM', failingKey(), failingMember(device, configuration))
    redis.call('ZREM', failingKey(configuration), failingMember(device, configuration))
  end
end

-- Forgets a device. Returns 1, or 0 if nothing was known of it.
local function forgetReports(device)
  local known = redis.call('HGET', REPORTS, device) or ''
  for line in string.gmatch(known, '\n([^\n]+)') do leaveLists(device, line) end
  redis.call('ZREM', reportedKey(), device)
  return redis.call('HDEL', REPORTS, device)
end
