--[[
  Refuses to work on the data of a tenant that a newer version has taken over. The field `format` of a tenant's counts is
  the lowest format that a process has to read; without the field it is 1. A newer version may raise it at any moment, so
  every script checks it in the same step in which it reads or writes. A move to another Redis closes the tenant the same way,
  with a format that no version reads, and the field `moved` says so in words.
]]
-- Returns an error reply if this process must leave the tenant alone; nothing otherwise.
local function leftAlone()
  local root = string.match(KEYS[1], '^.-}') or ''
  local counts = root .. ':counts'
  local format = tonumber(redis.call('HGET', counts, 'format') or 1)
  if format <= READS_FORMAT then return nil end
  local moved = redis.call('HGET', counts, 'moved')
  if moved then return {err = 'MOVEDDATA ' .. moved} end
  local text = 'NEWERDATA the data has format %d, this version reads up to %d: update this process'
  return {err = string.format(text, format, READS_FORMAT)}
end
