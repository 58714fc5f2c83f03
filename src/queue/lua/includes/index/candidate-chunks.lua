--[[
  The chunks that may have matching rows, those with the newest rows first.
]]
--- @include "index/devices"

-- Chunks read from a sorted set at once.
local SLICE = 50

-- Chunks with rows of a status. Returns a function that returns number and latest instant of the next one.
local function chunksOfStatus(status, newest, oldest)
  local key, slice, next = chunksWith(status), {}, 1
  -- Those whose latest instant is later have older rows if their earliest one is not.
  local overlapping = redis.call('ZREVRANGEBYSCORE', key, string.format('%.0f', newest + CHUNK_SPAN_MS),
    string.format('%.0f', newest), 'WITHSCORES')
  for at = 1, #overlapping, 2 do
    local earliest = readHead(overlapping[at])
    if earliest and earliest <= newest then
      slice[#slice + 1], slice[#slice + 2] = overlapping[at], overlapping[at + 1]
    end
  end
  local offset, isLast = 0, false
  return function()
    if next > #slice and not isLast then
      slice, next = redis.call('ZREVRANGEBYSCORE', key, '(' .. string.format('%.0f', newest),
        string.format('%.0f', oldest), 'WITHSCORES', 'LIMIT', offset, SLICE), 1
      offset, isLast = offset + SLICE, #slice < 2 * SLICE
    end
    if next > #slice then return nil end
    next = next + 2
    return tonumber(slice[next - 2]), tonumber(slice[next - 1])
  end
end

-- The same for a device.
local function chunksOfDevice(device, newest, oldest)
  local key, field = listOf(device)
  local list = (redis.call('GET', olderPartKey(device)) or '') .. (redis.call('HGET', key, field) or '')
  local chunks, seen = {}, {}
  for at = 1, #list, 4 do
    local number = struct.unpack('>I4', list, at)
    local earliest, latest
    if not seen[number] then earliest, latest = readHead(number) end
    seen[number] = true
    if earliest and earliest <= newest and latest >= oldest then chunks[#chunks + 1] = {number, latest} end
  end
  table.sort(chunks, function(chunk, other) return chunk[2] > other[2] end)
  local next = 0
  return function()
    next = next + 1
    if chunks[next] then return unpack(chunks[next]) end
  end
end
