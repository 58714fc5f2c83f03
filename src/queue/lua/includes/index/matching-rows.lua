--[[
  The rows of one chunk that match what is asked for.
]]
--- @include "index/chunk"

-- Calls visit(0-based row) for each row that has a text at the `offset` of a column, each `width` wide.
local function eachInColumn(text, column, wanted, visit)
  local from = column.at + 1
  while true do
    local found = string.find(text, wanted, from, true)
    if not found or found > column.untilAt then return end
    local within = found - 1 - column.at
    if within % column.width == column.offset then visit(math.floor(within / column.width)) end
    from = found + 1
  end
end

-- Rows that have a status: {instant, id}. Columns are read first: most chunks have no row of a rare configuration.
local function rowsWithStatus(number, status, tag)
  local key, matching, rows = chunkKey(number), {}, {}
  local columns = redis.call('GETRANGE', key, 0, HEAD_BYTES + (1 + MARK_BYTES) * CHUNK_ROWS - 1)
  if #columns < HEAD_BYTES then return matching end
  local earliest, _, room, rowsAt = parseHead(columns)
  local marksAt = HEAD_BYTES + room
  if tag and not string.find(columns, tag, marksAt + 1, true) then return matching end
  if tag then
    local column = {at = marksAt, untilAt = rowsAt, width = MARK_BYTES, offset = 0}
    eachInColumn(columns, column, tag, function(row)
      if string.sub(columns, HEAD_BYTES + row + 1, HEAD_BYTES + row + 1) == status then rows[#rows + 1] = row end
    end)
  else
    local column = {at = HEAD_BYTES, untilAt = marksAt, width = 1, offset = 0}
    eachInColumn(columns, column, status, function(row) rows[#rows + 1] = row end)
  end
  if #rows == 0 then return matching end
  local first = rowsAt + rows[1] * ROW_BYTES
  local text = redis.call('GETRANGE', key, first, rowsAt + (rows[#rows] + 1) * ROW_BYTES - 1)
  for _, row in ipairs(rows) do
    local at = (row - rows[1]) * ROW_BYTES + 1
    -- A chunk that is being filled has statuses of rows to come.
    if at + ROW_BYTES - 1 <= #text then matching[#matching + 1] = {parseRow(earliest, text, at)} end
  end
  return matching
end

-- Rows of a device: {instant, id}. Others that share the beginning of its search hash may be among them.
local function rowsOfDevice(number, device, status, tag)
  local text, matching = redis.call('GET', chunkKey(number)), {}
  if not text then return matching end
  local earliest, _, room, rowsAt = parseHead(text)
  local column = {at = rowsAt, untilAt = #text, width = ROW_BYTES, offset = 4}
  eachInColumn(text, column, string.sub(device, 1, 3), function(row)
    local rowStatus = string.sub(text, HEAD_BYTES + 1 + row, HEAD_BYTES + 1 + row)
    local markAt = HEAD_BYTES + room + MARK_BYTES * row + 1
    local fits = rowStatus ~= REMOVED and (not status or rowStatus == status)
      and (not tag or string.sub(text, markAt, markAt + #tag - 1) == tag)
    if fits then matching[#matching + 1] = {parseRow(earliest, text, rowsAt + row * ROW_BYTES + 1)} end
  end)
  return matching
end

-- The ids of rows of a run. Others that share the beginning of its search hash may be among them.
local function idsOfRun(number, run)
  local key, ids = chunkKey(number), {}
  local columns = redis.call('GETRANGE', key, 0, HEAD_BYTES + (1 + MARK_BYTES) * CHUNK_ROWS - 1)
  if #columns < HEAD_BYTES then return ids end
  local _, _, room, rowsAt = parseHead(columns)
  local column = {at = HEAD_BYTES + room, untilAt = rowsAt, width = MARK_BYTES, offset = 2}
  eachInColumn(columns, column, string.sub(run, 1, 3), function(row)
    local at = rowsAt + row * ROW_BYTES
    ids[#ids + 1] = 'd' .. redis.call('GETRANGE', key, at + ROW_ID_AT, at + ROW_BYTES - 1)
  end)
  return ids
end
