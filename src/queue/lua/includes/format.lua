--[[
  Refuses to work on the data of a tenant that a newer version has taken over. The field `format` of a tenant's counts is
  the lowest format that a process has to read; without the field it is 1. A newer version may raise it at any moment, so
  every script checks it in the same step in which it reads or writes.
]]
-- Returns an error reply if this version must leave the tenant alone; nothing otherwise.
local function newerData()
  local root = string.match(KEYS[1], '^.-}') or ''
  local format = tonumber(redis.call('HGET', root .. ':counts', 'format') or 1)
  if format <= READS_FORMAT then return nil end
  local text = 'NEWERDATA the data has format %d, this version reads up to %d: update this process'
  return {err = string.format(text, format, READS_FORMAT)}
end
