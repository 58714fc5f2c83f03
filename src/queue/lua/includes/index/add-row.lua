--[[
  Adds rows to the chunk that is being filled. What is added in one script is written at its end, together.
  Needs COUNTS.
]]
--- @include "index/chunk"
--- @include "index/devices"

-- Clocks differ, and submissions overtake each other: a row may be older than the first one by this.
local EARLIER_MS = 60000

-- The chunk that is being filled: number, rows, earliest and latest instant. `field` names it among the counts: new
-- deliveries and those added later fill different chunks.
local function readFilling(field)
  local text = redis.call('HGET', COUNTS, field) or ''
  local number, rows, earliest = string.match(text, '^(%d+) (%d+) (%d+)$')
  local filling = {field = field, statuses = {}, marks = {}, added = {}}
  if number then
    filling.number, filling.rows, filling.earliest = tonumber(number), tonumber(rows), tonumber(earliest)
  end
  return filling
end

local function writeAdded(filling)
  local count = #filling.added
  if count == 0 then return end
  local key, first = chunkKey(filling.number), filling.rows - count
  local statuses = table.concat(filling.statuses)
  if string.find(statuses, '[^' .. QUEUED .. ']') then
    redis.call('SETRANGE', key, HEAD_BYTES + first, statuses)
    for status in pairs(STATUS_NAMES) do
      if string.find(statuses, status, 1, true) then
        redis.call('ZADD', chunksWith(status), filling.earliest + CHUNK_SPAN_MS, filling.number)
      end
    end
  end
  redis.call('SETRANGE', key, HEAD_BYTES + CHUNK_ROWS + MARK_BYTES * first, table.concat(filling.marks))
  redis.call('APPEND', key, table.concat(filling.added))
  filling.statuses, filling.marks, filling.added = {}, {}, {}
end

-- Completes a chunk: it needs no more room, and its latest instant is known.
local function complete(filling)
  writeAdded(filling)
  local number, rows = filling.number, filling.rows
  local text = redis.call('GET', chunkKey(number))
  filling.number = nil
  if not text then return end
  local earliest, _, room, rowsAt = parseHead(text)
  local latest = earliest
  for row = 0, rows - 1 do
    latest = math.max(latest, earliest + struct.unpack('>I4', text, rowsAt + row * ROW_BYTES + 1))
  end
  local statuses = string.sub(text, HEAD_BYTES + 1, HEAD_BYTES + rows)
  local marks = string.sub(text, HEAD_BYTES + room + 1, HEAD_BYTES + room + MARK_BYTES * rows)
  redis.call('SET', chunkKey(number), packHead(earliest, latest, rows) .. statuses .. marks .. string.sub(text, rowsAt + 1))
  for status in pairs(STATUS_NAMES) do
    if string.find(statuses, status, 1, true) then redis.call('ZADD', chunksWith(status), latest, number)
    else redis.call('ZREM', chunksWith(status), number) end
  end
  redis.call('ZADD', DUE, 0, number)
end

local function begin(filling, at)
  filling.number = redis.call('HINCRBY', COUNTS, 'ix:last', 1)
  filling.rows, filling.earliest, filling.isChanged = 0, math.max(0, at - EARLIER_MS), true
  local head = packHead(filling.earliest, filling.earliest + CHUNK_SPAN_MS, CHUNK_ROWS)
  redis.call('SET', chunkKey(filling.number), head .. string.rep(QUEUED, CHUNK_ROWS) .. string.rep(' ', MARK_BYTES * CHUNK_ROWS))
  redis.call('ZADD', CHUNKS, filling.number, filling.number)
  redis.call('ZADD', chunksWith(QUEUED), filling.earliest + CHUNK_SPAN_MS, filling.number)
end

-- Returns the number of the chunk that a row for this instant will be in.
local function chunkFor(filling, at)
  local fits = filling.number and filling.rows < CHUNK_ROWS and at >= filling.earliest
    and at <= filling.earliest + CHUNK_SPAN_MS
  if fits then return filling.number end
  if filling.number then complete(filling) end
  begin(filling, at)
  return filling.number
end

-- Adds a row to the chunk that `chunkFor` returned.
local function addRow(filling, id, at, identity, status, configuration)
  local device, run = string.match(identity, '^%S+ (%S+) ([^%s.]+)')
  filling.rows, filling.isChanged = filling.rows + 1, true
  filling.statuses[#filling.statuses + 1] = status
  filling.marks[#filling.marks + 1] = configurationTag(configuration) .. string.sub(run, 1, 3)
  filling.added[#filling.added + 1] = struct.pack('>I4', at - filling.earliest)
    .. string.sub(device, 1, 3) .. string.sub(id, 2)
  noteDevice(device, filling.number)
end

-- Writes what was added, and remembers where the next row goes.
local function saveFilling(filling)
  if not filling.isChanged then return end
  writeAdded(filling)
  redis.call('HSET', COUNTS, filling.field, string.format('%d %d %.0f', filling.number, filling.rows, filling.earliest))
end
