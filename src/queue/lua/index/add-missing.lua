--[[
  Adds records that are not in the index, and corrects the rows of those that are. To be called from the oldest to the
  newest, so that a chunk has rows of one time.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  how many records follow, two arguments each:
           delivery id
           configuration key, '' if it is not known

  Reply: how many were added
]]
local COUNTS, ROOT = KEYS[1], ARGV[1]
--- @include "record-header"
--- @include "index/add-row"
--- @include "index/change-status"

local filling, added = readFilling('ix:added'), 0

local function ensureDevice(device, number)
  local key, field = listOf(device)
  local list = (redis.call('GET', olderPartKey(device)) or '') .. (redis.call('HGET', key, field) or '')
  for from = 1, #list, 4 do
    if struct.unpack('>I4', list, from) == number then return end
  end
  noteDevice(device, number)
end

for entry = 1, tonumber(ARGV[2]) do
  local id, knownConfiguration = ARGV[1 + 2 * entry], ARGV[2 + 2 * entry]
  local key = ROOT .. ':' .. id
  local record = redis.call('GET', key)
  local rev, status, at, rank, position, identity, configuration = parseHeader(record or '')
  local number, row
  if rev then number, row = placeOf(identity) end
  if number and number == filling.number then writeAdded(filling) end
  if number and findRow(number, row, id) then
    changeStatus(identity, id, status)
    ensureDevice(string.match(identity, '^%S+ (%S+)'), number)
  elseif rev then
    at = tonumber(at)
    local chunk = chunkFor(filling, at)
    identity = withPlace(withoutPlace(identity), chunk, filling.rows)
    addRow(filling, id, at, identity, status, configuration ~= '' and configuration or knownConfiguration)
    local fields = {rev, status, string.format('%.0f', at), rank, position, identity}
    if configuration ~= '' then fields[7] = configuration end
    local indexed = table.concat(fields, ' ') .. string.sub(record, string.find(record, '\n', 1, true), -1)
    redis.call('SET', key, indexed, 'KEEPTTL')
    local isWhole = status == QUEUED or status == DELIVERING or status == WAITING
      or (status == SUPERSEDED and string.sub(indexed, -1) ~= '\n')
    if isWhole then redis.call('HINCRBY', COUNTS, 'bytes', #indexed - #record) end
    added = added + 1
  end
end
saveFilling(filling)
return added
