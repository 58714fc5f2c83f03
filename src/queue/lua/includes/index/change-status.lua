--[[
  Keeps the status of a row the same as that of its record.
]]
--- @include "index/chunk"

-- Rows that a chunk has no row for yet count as queued: it stays among those that have queued ones until it is complete.
local function changeStatus(identity, id, to)
  local number, row = placeOf(identity)
  local columns
  if number then row, columns = findRow(number, row, id) end
  if not columns then return end
  local _, latest, room = parseHead(columns)
  local statuses = string.sub(columns, HEAD_BYTES + 1, HEAD_BYTES + room)
  local from = string.sub(statuses, row + 1, row + 1)
  if from == to then return end
  redis.call('SETRANGE', chunkKey(number), HEAD_BYTES + row, to)
  if to ~= REMOVED and not string.find(statuses, to, 1, true) then redis.call('ZADD', chunksWith(to), latest, number) end
  local isLast = not string.find(string.sub(statuses, 1, row), from, 1, true) and not string.find(statuses, from, row + 2, true)
  if isLast then redis.call('ZREM', chunksWith(from), number) end
end
