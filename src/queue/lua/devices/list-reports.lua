--[[
  Lists devices by their last run results: newest first, or most failures in a row first.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  'reported' or 'failing'
  ARGV[3]  configuration key, or ''
  ARGV[4]  the largest value (instant, or number of failures)
  ARGV[5]  of those with this very value only keys below this one, or '' for all
  ARGV[6]  the smallest value
  ARGV[7]  how many at most

  Reply: {key, value, name, report, status code or '', key…}
]]
local ROOT = ARGV[1]
--- @include "compacted/status-of"
--- @include "devices/reports"
--- @include "index/order"

local list, configuration = ARGV[2], ARGV[3] ~= '' and ARGV[3] or nil
local largest, belowKey, smallest, most = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])

local function isListed(key, value)
  return value < largest or (value == largest and (belowKey == '' or idIsLess(key, belowKey)))
end

-- The 0-based position of the first that is asked for: a list may have very many with one value.
local function findFirst(set)
  local low, high = 0, redis.call('ZCARD', set)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = redis.call('ZREVRANGE', set, middle, middle, 'WITHSCORES')
    if isListed(at[1], tonumber(at[2])) then high = middle else low = middle + 1 end
  end
  return low
end

-- The report for a configuration, the newest one if none is given.
local function readReport(device, ofConfiguration)
  local known = redis.call('HGET', REPORTS, device) or ''
  local name = string.match(known, '^[^\n]*')
  for line in string.gmatch(known, '\n([^\n]+)') do
    if not ofConfiguration or parseReport(line) == ofConfiguration then return name, line end
  end
end

local set = list == 'failing' and failingKey(configuration) or reportedKey(configuration)
local first = findFirst(set)
local found = redis.call('ZREVRANGE', set, first, first + most - 1, 'WITHSCORES')
local reply = {}
for at = 1, #found, 2 do
  local key, value = found[at], found[at + 1]
  if tonumber(value) < smallest then break end
  local device, itsConfiguration = string.match(key, '^([^.]+)%.?(.*)$')
  local name, report = readReport(device, configuration or (itsConfiguration ~= '' and itsConfiguration) or nil)
  if report then
    local _, _, _, _, id = parseReport(report)
    for _, text in ipairs({key, value, name, report, statusOf(id) or ''}) do reply[#reply + 1] = text end
  end
end
return reply
