--[[
  Lists deliveries of a device, or with a status, from the index: newest first. Records are not read: some may have
  changed their status, be gone, or belong to another device whose search hash is similar.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  search hash of the device, or ''
  ARGV[3]  status code, or ''
  ARGV[4]  configuration key, or ''
  ARGV[5]  newest instant of acceptance
  ARGV[6]  of those with this very instant only ids below this one, or '' for all
  ARGV[7]  oldest instant of acceptance
  ARGV[8]  how many at most

  Reply: {what follows, instant, id, instant, id…}: 'none' follows, 'more' after the last of these, or this script stopped
  early, and the instant from which to go on
]]
local ROOT = ARGV[1]
--- @include "index/matching-rows"
--- @include "index/candidate-chunks"
--- @include "index/order"

-- Chunks that one call reads before it stops early, so that it blocks Redis for about a millisecond.
local READ_AT_ONCE = {device = 100, status = 300}

local device, status, configuration = ARGV[2], ARGV[3], ARGV[4]
local newest, belowId, oldest, most = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local ofStatus = status ~= '' and status or nil
local tag = configuration ~= '' and configurationTag(configuration) or nil

local function isAskedFor(row)
  local at, id = row[1], row[2]
  if at > newest or at < oldest then return false end
  return at < newest or belowId == '' or idIsLess(id, belowId)
end

local function reply(follows, rows)
  local flat = {follows}
  for index = 1, math.min(#rows, most) do
    flat[#flat + 1], flat[#flat + 2] = string.format('%.0f', rows[index][1]), rows[index][2]
  end
  return flat
end

local nextChunk = device ~= '' and chunksOfDevice(device, newest, oldest) or chunksOfStatus(status, newest, oldest)
local budget = device ~= '' and READ_AT_ONCE.device or READ_AT_ONCE.status
local found = {}
for number, latest in nextChunk do
  -- A row is in its place once no chunk that may have newer ones is left.
  if #found >= most then
    table.sort(found, isNewer)
    if found[most][1] > latest then return reply('more', found) end
  end
  if budget <= 0 and latest < newest then
    local inPlace = {}
    for _, row in ipairs(found) do if row[1] > latest then inPlace[#inPlace + 1] = row end end
    table.sort(inPlace, isNewer)
    if #inPlace > most then return reply('more', inPlace) end
    return reply(string.format('%.0f', latest), inPlace)
  end
  budget = budget - 1
  local rows = device ~= '' and rowsOfDevice(number, device, ofStatus, tag) or rowsWithStatus(number, status, tag)
  for _, row in ipairs(rows) do
    if isAskedFor(row) then found[#found + 1] = row end
  end
end
table.sort(found, isNewer)
return reply(#found > most and 'more' or 'none', found)
