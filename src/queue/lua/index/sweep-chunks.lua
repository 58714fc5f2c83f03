--[[
  Removes rows whose records are gone from chunks that are due, and devices whose chunks are gone. Chunks that are not
  complete after a day are completed.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  how many chunks
  ARGV[3]  how many hashes of devices at most; fewer if they have many devices

  Reply: {how many chunks were due, how many hashes were looked through}
]]
local COUNTS, ROOT = KEYS[1], ARGV[1]
--- @include "record-header"
--- @include "index/add-row"

-- Records without an expiry are looked for again after a day; those that expire, once they have.
local AGAIN_AFTER_MS = 86400000
-- So many devices are looked through in one script, which must not block Redis.
local DEVICES_AT_ONCE = 40

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Milliseconds until the row's record expires, -1 if it does not; nothing if the row has no record.
local function expiresInMs(text, at, number)
  local _, id = parseRow(0, text, at)
  local key = ROOT .. ':' .. id
  local leftMs = redis.call('PTTL', key)
  if leftMs == -2 then return nil end
  local _, _, _, _, _, identity = parseAnyHeader(redis.call('GETRANGE', key, 0, HEADER_BYTES))
  return placeOf(identity or '') == number and leftMs or nil
end

local function forget(number)
  redis.call('DEL', chunkKey(number))
  redis.call('ZREM', CHUNKS, number)
  redis.call('ZREM', DUE, number)
  for status in pairs(STATUS_NAMES) do redis.call('ZREM', chunksWith(status), number) end
end

local function sweepChunk(number)
  local text = redis.call('GET', chunkKey(number))
  if not text then return forget(number) end
  local earliest, latest, room, rowsAt = parseHead(text)
  local statuses, marks, rows, againInMs = {}, {}, {}, 1000
  for row = 0, room - 1 do
    local at = rowsAt + row * ROW_BYTES + 1
    local leftMs = expiresInMs(text, at, number)
    if leftMs then
      statuses[#statuses + 1] = string.sub(text, HEAD_BYTES + 1 + row, HEAD_BYTES + 1 + row)
      local markAt = HEAD_BYTES + room + MARK_BYTES * row + 1
      marks[#marks + 1] = string.sub(text, markAt, markAt + MARK_BYTES - 1)
      rows[#rows + 1] = string.sub(text, at, at + ROW_BYTES - 1)
      againInMs = math.max(againInMs, leftMs == -1 and AGAIN_AFTER_MS or leftMs + 1)
    end
  end
  if #rows == 0 then return forget(number) end
  redis.call('ZADD', DUE, string.format('%.0f', now + math.min(againInMs, AGAIN_AFTER_MS * 7)), number)
  if #rows == room then return end
  local left = table.concat(statuses)
  redis.call('SET', chunkKey(number), packHead(earliest, latest, #rows) .. left .. table.concat(marks) .. table.concat(rows))
  for status in pairs(STATUS_NAMES) do
    if not string.find(left, status, 1, true) then redis.call('ZREM', chunksWith(status), number) end
  end
end

-- Returns how many devices it had.
local function sweepDevices(number)
  local key = deviceHashKey(number)
  local all = redis.call('HGETALL', key)
  for at = 1, #all, 2 do
    local field, list = all[at], all[at + 1]
    local older = olderPartKey(deviceStart(number) .. field)
    local kept = existingOnly(list)
    local hasOlder = redis.call('EXISTS', older) == 1
    if hasOlder then
      local keptOlder = existingOnly(redis.call('GET', older))
      if keptOlder == '' then redis.call('DEL', older) else redis.call('SET', older, keptOlder) end
      hasOlder = keptOlder ~= ''
    end
    if kept == '' and not hasOlder then redis.call('HDEL', key, field)
    elseif kept ~= list then redis.call('HSET', key, field, kept) end
  end
  return #all / 2
end

for _, field in ipairs({'ix:new', 'ix:added'}) do
  local filling = readFilling(field)
  if filling.number and filling.earliest + CHUNK_SPAN_MS < now then
    complete(filling)
    redis.call('HDEL', COUNTS, field)
  end
end
local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[2])
for _, number in ipairs(due) do sweepChunk(tonumber(number)) end
local first, looked, devices = tonumber(redis.call('HGET', COUNTS, 'ix:swept') or 0), 0, 0
while looked < tonumber(ARGV[3]) and devices < DEVICES_AT_ONCE do
  devices = devices + sweepDevices((first + looked) % DEVICE_HASHES)
  looked = looked + 1
end
redis.call('HSET', COUNTS, 'ix:swept', (first + looked) % DEVICE_HASHES)
return {#due, looked}
