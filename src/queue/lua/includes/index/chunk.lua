--[[
  The index of deliveries: one row each, in chunks of a few hundred that arrived together, so that a row takes little
  memory. A chunk is a string of

    6 bytes               the earliest instant of acceptance a row may have, in milliseconds
    6 bytes               the latest one
    2 bytes               the number of rows it has room for
    1 byte for each row   status code, '-' once its record was purged
    5 bytes for each row  configuration tag, 2 bytes; first three characters of the run's search hash
    29 bytes a row        instant of acceptance after the earliest one, 4 bytes; first three characters of the device's
                          search hash; delivery id without its 'd'

  A record names its chunk and row at the end of its identity, where earlier versions expect the search hash of the run
  and pass it on: '.<chunk>.<row>'. Rows move up when others before them are removed. Needs ROOT, the prefix of the tenant's keys.
]]
local CHUNK_ROWS, ROW_BYTES, MARK_BYTES, HEAD_BYTES = 350, 29, 5, 14
local REMOVED = '-'
-- The 0-based position of the id in a row.
local ROW_ID_AT = 7
-- A chunk has rows of a day at most: so few need to be read for one instant.
local CHUNK_SPAN_MS = 86400000

-- All chunks, by their number.
local CHUNKS = ROOT .. ':ix:chunks'
-- Complete chunks, by when their records should be looked for again.
local DUE = ROOT .. ':ix:due'

local function chunkKey(number) return ROOT .. ':ix:' .. number end

-- The chunks that have rows of a status, by the latest instant of acceptance a row may have.
local function chunksWith(status) return ROOT .. ':ix:with:' .. status end

-- Returns the number of a record's chunk and the 0-based row it had first; nothing if the record is not in the index.
local function placeOf(identity)
  local number, row = string.match(identity, '%.(%x+)%.(%x+)$')
  if number then return tonumber(number, 16), tonumber(row, 16) end
end

local function withPlace(identity, number, row) return string.format('%s.%x.%x', identity, number, row) end
local function withoutPlace(identity) return (string.gsub(identity, '%.%x+%.%x+$', '')) end

-- Two bytes of a hash: keys of similar configuration ids are similar.
local function configurationTag(configuration)
  local digest = 0
  for at = 1, #configuration do digest = (digest * 31 + string.byte(configuration, at)) % 65521 end
  return struct.pack('>I2', digest * 40503 % 65536)
end

local function packHead(earliest, latest, room) return struct.pack('>I6I6I2', earliest, latest, room) end

-- Returns earliest and latest instant, room, and the 0-based position at which the rows begin.
local function parseHead(text)
  local earliest, latest, room = struct.unpack('>I6I6I2', text)
  return earliest, latest, room, HEAD_BYTES + (1 + MARK_BYTES) * room
end

-- Instant and id of the row that begins at a 1-based position of a text.
local function parseRow(earliest, text, at)
  return earliest + struct.unpack('>I4', text, at), 'd' .. string.sub(text, at + ROW_ID_AT, at + ROW_BYTES - 1)
end

-- The head of a chunk that is not loaded; nothing if there is none.
local function readHead(number)
  local head = redis.call('GETRANGE', chunkKey(number), 0, HEAD_BYTES - 1)
  if #head < HEAD_BYTES then return nil end
  return parseHead(head)
end

-- Where a row is now: the 0-based row, and what the chunk has before its rows; nothing if it is not there.
local function findRow(number, row, id)
  local key, text = chunkKey(number), string.sub(id, 2)
  local columns = redis.call('GETRANGE', key, 0, HEAD_BYTES + CHUNK_ROWS - 1)
  if #columns < HEAD_BYTES then return nil end
  local _, _, _, rowsAt = parseHead(columns)
  local at = rowsAt + row * ROW_BYTES + ROW_ID_AT
  if redis.call('GETRANGE', key, at, at + #text - 1) == text then return row, columns end
  local found = string.find(redis.call('GET', key), text, rowsAt + 1, true)
  if found then return math.floor((found - 1 - rowsAt) / ROW_BYTES), columns end
end
